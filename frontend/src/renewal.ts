/** Milliseconds before the links of an image are renewed, after each time that it could not be loaded. */
const PAUSES = [200, 3_000, 15_000, 60_000, 300_000]

/** Renews the links of images that could not be loaded: theirs may have died. */
export class Renewal {
  #attempts = new Map<unknown, number>()

  constructor(readonly refresh: () => Promise<void>) {}

  /** Get new links after a pause, then call `retry`. After some failures, do nothing. */
  failed(key: unknown, retry: () => void): void {
    const attempt = this.#attempts.get(key) ?? 0
    const pause = PAUSES[attempt]
    if (pause === undefined) return
    this.#attempts.set(key, attempt + 1)
    setTimeout(() => void this.#renew(retry), pause)
  }

  loaded(key: unknown): void {
    this.#attempts.delete(key)
  }

  async #renew(retry: () => void): Promise<void> {
    await this.refresh()
    // By then the images have been rendered with the new links.
    requestAnimationFrame(() => retry())
  }
}
