import type { PartsUpload, WholeUpload } from './api'
import type { Upload } from './uploader'

/** The reservations of uploads to one API; those in parts also outlive a reload. */
export class Reservations {
  #current = new WeakMap<Upload, WholeUpload | PartsUpload>()

  constructor(readonly url: string) {}

  get(upload: Upload): WholeUpload | PartsUpload | undefined {
    return this.#current.get(upload)
  }

  set(upload: Upload, reserved: WholeUpload | PartsUpload): void {
    this.#current.set(upload, reserved)
  }

  /** Return a reservation that was saved for the same file, if it has not expired. */
  saved(upload: Upload): PartsUpload | undefined {
    try {
      const saved = localStorage.getItem(this.#key(upload))
      const reserved = saved ? (JSON.parse(saved) as PartsUpload) : undefined
      return reserved && Date.parse(reserved.expires_at) > Date.now() ? reserved : undefined
    } catch {
      return undefined // no storage, or not allowed
    }
  }

  save(upload: Upload, reserved: PartsUpload): void {
    try {
      localStorage.setItem(this.#key(upload), JSON.stringify(reserved))
    } catch {
      // It can't be continued after a reload.
    }
  }

  remove(upload: Upload): void {
    this.#current.delete(upload)
    try {
      localStorage.removeItem(this.#key(upload))
    } catch {
      // There is no storage.
    }
  }

  #key({ file }: Upload): string {
    return `safelight-upload:${this.url}:${file.name}:${file.size}:${file.lastModified}`
  }
}
