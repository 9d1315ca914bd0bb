/**
 * Maps positions in the document to positions in the grid, which may be higher. In CSS pixels.
 *
 * Browsers limit the height of a document: Chromium to 2^25 device pixels, and only half of them are
 * placed exactly; Firefox to 2^24. A million photos are higher. So the document is at most
 * MAX_HEIGHT high. The grid has its real size at both ends, for END pixels, and is compressed in
 * between.
 */

export const MAX_HEIGHT = 4_000_000
const END = 40_000

export class ScrollMap {
  /** The height of the grid in the document. */
  readonly documentHeight: number
  readonly #end: number
  readonly #factor: number

  /** `height` is that of the grid's layout. */
  constructor(
    readonly height: number,
    maxHeight = MAX_HEIGHT,
  ) {
    this.documentHeight = Math.min(height, maxHeight)
    this.#end = Math.min(END, this.documentHeight / 4)
    const rest = this.documentHeight - 2 * this.#end
    this.#factor = rest > 0 ? (height - 2 * this.#end) / rest : 1
  }

  toGrid(top: number): number {
    if (top < this.#end) return top
    const rest = this.documentHeight - top
    if (rest < this.#end) return this.height - rest
    return this.#end + (top - this.#end) * this.#factor
  }

  toDocument(y: number): number {
    if (y < this.#end) return y
    const rest = this.height - y
    if (rest < this.#end) return this.documentHeight - rest
    return this.#end + (y - this.#end) / this.#factor
  }
}
