import { describe, expect, it } from 'vitest'
import { readEntries } from '../src/uploads/dropped-files'
import { contentType, isImage } from '../src/uploads/file-types'
import { texts } from '../src/texts-later'

function file(name: string, type = ''): FileSystemEntry {
  const entry = {
    isFile: true,
    file: (resolve: (file: File) => void) => resolve(new File(['bytes'], name, { type })),
  }
  return entry as unknown as FileSystemEntry
}

/** A folder whose reader returns batches of two, as browsers return batches of 100. */
function folder(...children: FileSystemEntry[]): FileSystemEntry {
  const createReader = () => {
    const rest = [...children]
    return {
      readEntries: (resolve: (batch: FileSystemEntry[]) => void) => resolve(rest.splice(0, 2)),
    }
  }
  return { isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry
}

const namesIn = async (...entries: FileSystemEntry[]): Promise<string[]> =>
  (await readEntries(entries)).files.map(({ name }) => name)

describe('readEntries', () => {
  it('returns the photos of all folders, in order', async () => {
    const nested = folder(file('b.png'), folder(file('c.HEIC')), file('d.webp', 'image/webp'))
    expect(await namesIn(file('a.jpg'), nested)).toEqual(['a.jpg', 'b.png', 'c.HEIC', 'd.webp'])
  })

  it('counts the files that are not photos', async () => {
    const selection = await readEntries([
      folder(file('a.jpg'), file('notes.txt', 'text/plain'), file('film.mov', 'video/quicktime')),
      file('Thumbs.db'),
    ])
    expect(selection.files.map(({ name }) => name)).toEqual(['a.jpg'])
    expect(selection.leftOut).toBe(3)
  })

  it('ignores hidden files without counting them', async () => {
    expect(await readEntries([folder(file('.DS_Store'), file('.a.jpg'))])).toEqual({
      files: [],
      leftOut: 0,
    })
  })

  it('returns nothing for an empty folder', async () => {
    expect(await readEntries([folder()])).toEqual({ files: [], leftOut: 0 })
  })
})

describe('file types', () => {
  it('uses the extension when the browser does not know the type', () => {
    expect(contentType(new File([], 'IMG_1.HIF'))).toBe('image/heif')
    expect(contentType(new File([], 'a.jpg', { type: 'image/png' }))).toBe('image/png')
    expect(contentType(new File([], 'README'))).toBe('')
  })

  it('leaves unsupported image formats to the server', () => {
    expect(isImage(new File([], 'scan.tif', { type: 'image/tiff' }))).toBe(true)
  })
})

describe('texts.leftOut', () => {
  it('has a singular and a plural', () => {
    expect(texts.leftOut(1)).toBe('1 file is not a photo and was left out.')
    expect(texts.leftOut(1200)).toBe('1,200 files are not photos and were left out.')
  })
})
