import type { Month, Position } from './api'

const PAGE_SIZE = 60

/**
 * The slots of each month and of each page.
 *
 * Pages are counted from the start of a section, which is that of a month. So no page skips more
 * photos than its month has before it, and the oldest month is loaded as quickly as the newest.
 */
export class MonthIndex {
  /** The first slot of each month. */
  readonly starts: number[] = []
  readonly total: number
  /** The first slot of each section. Months of few photos form one together. */
  readonly #sections: number[] = []

  constructor(readonly months: readonly Month[]) {
    let total = 0
    for (const { count } of months) {
      if (total >= (this.#sections.at(-1) ?? -PAGE_SIZE) + PAGE_SIZE) this.#sections.push(total)
      this.starts.push(total)
      total += count
    }
    this.total = total
  }

  /** Return the index of a slot's month. */
  monthOf(slot: number): number {
    return lastUpTo(this.starts, slot)
  }

  /** Return the first slot of a slot's page. */
  pageOf(slot: number): number {
    const section = this.#sections[lastUpTo(this.#sections, slot)] ?? 0
    return slot - ((slot - section) % PAGE_SIZE)
  }

  /** Return where a request for the photos from a slot on has to start. */
  position(slot: number, limit: number): Position {
    const index = this.monthOf(slot)
    const { after = '' } = this.months[index] ?? {}
    return { after, skip: slot - (this.starts[index] ?? 0), limit }
  }

  /** Return the index without one photo. */
  without(slot: number): MonthIndex {
    const index = this.monthOf(slot)
    const months = this.months.map((month, n) =>
      n === index ? { ...month, count: month.count - 1 } : month,
    )
    return new MonthIndex(months.filter((month) => month.count > 0))
  }

  /** Return the number of photos of the page that starts at a slot. */
  pageLength(page: number): number {
    const end = this.#sections[lastUpTo(this.#sections, page) + 1] ?? this.total
    return Math.min(PAGE_SIZE, end - page)
  }
}

/** Return the index of the last number up to `value`, or 0; the numbers increase. */
function lastUpTo(numbers: readonly number[], value: number): number {
  return Math.max(0, firstIndex(numbers.length, (n) => (numbers[n] as number) > value) - 1)
}

/** Return the index of the first match. All that follow a match must match too. */
export function firstIndex(count: number, matches: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >> 1
    if (matches(middle)) high = middle
    else low = middle + 1
  }
  return low
}
