import type { Api, PartsUpload } from './api'
import { UploadError } from './errors'
import { send, type Sending } from './send'

/** Parts that are sent at the same time. */
const AT_ONCE = 3

/** Send the parts of a file that have not arrived yet, and have the store assemble all of them. */
export async function sendInParts(
  api: Api,
  upload: PartsUpload,
  file: File,
  { progress, signal, save }: Sending & { save: (s3UploadId: string) => void },
): Promise<void> {
  const step = async (
    operation: string,
    options: { number?: number; body?: Blob | string; progress?: (sent: number) => void } = {},
  ): Promise<string> => {
    const request = {
      operation,
      ...(upload.s3UploadId ? { upload_id: upload.s3UploadId } : {}),
      ...(options.number ? { part_number: options.number } : {}),
    }
    const signed = await api.sign(upload.id, request, signal)
    return send(signed, options.body ?? null, { progress: options.progress ?? (() => {}), signal })
  }
  if (!upload.s3UploadId) {
    const id = parse(await step('create')).getElementsByTagName('UploadId')[0]?.textContent
    if (!id) throw new UploadError('store', 'The store did not start the upload.')
    upload.s3UploadId = id
    save(id)
  }
  // ETags come from the list: a page may not read the header of each part.
  const arrived = parseParts(await step('list'))
  const missing = range(upload.parts).filter((number) => !arrived.has(number))
  const sizeOf = (number: number): number =>
    Math.min(upload.part_size, file.size - (number - 1) * upload.part_size)
  const sent = new Map([...arrived.keys()].map((number) => [number, sizeOf(number)]))
  const report = (): void => progress([...sent.values()].reduce((sum, size) => sum + size, 0))
  report()
  const sendNext = async (): Promise<void> => {
    for (let number = missing.shift(); number; number = missing.shift()) {
      const part = number
      const start = (part - 1) * upload.part_size
      await step('part', {
        number: part,
        body: file.slice(start, start + sizeOf(part)),
        progress: (loaded) => {
          sent.set(part, loaded)
          report()
        },
      })
      sent.set(part, sizeOf(part))
    }
  }
  const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, sendNext))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  const parts = [...parseParts(await step('list'))]
    .map(([number, tag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${tag}</ETag></Part>`)
    .join('')
  const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`
  const answer = parse(await step('complete', { body }))
  // The store may have begun its response before it failed.
  if (answer.documentElement.localName === 'Error') {
    throw new UploadError('store', 'The store could not assemble the parts.', 500)
  }
}

/** Return the ETags of the parts that have arrived, by their numbers. */
function parseParts(xml: string): Map<number, string> {
  const text = (part: Element, name: string): string =>
    part.getElementsByTagName(name)[0]?.textContent ?? ''
  const parts = [...parse(xml).getElementsByTagName('Part')]
  return new Map(parts.map((part) => [Number(text(part, 'PartNumber')), text(part, 'ETag')]))
}

const parse = (xml: string): Document => new DOMParser().parseFromString(xml, 'application/xml')

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
