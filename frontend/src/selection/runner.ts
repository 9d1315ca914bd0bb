import { reasonOf } from '../api-later'
import { Observable } from '../observable'
import type { Toasts } from '../toasts'
import type { Action } from './actions'
import type { Selection } from './selection'

const LIMIT = 500

interface Failure {
  action: Action
  value: unknown
  /** Why, in a sentence for each reason. */
  reasons: string[]
  count: number
}

/** Runs an action on the selected photos. Those that it fails for stay selected. */
export class Runner extends Observable {
  /** What is running, and for how many photos it is finished. */
  active: { action: Action; finished: number; all: number } | undefined
  failure: Failure | undefined

  constructor(
    readonly selection: Selection,
    readonly toasts: Toasts,
  ) {
    super()
  }

  async run(action: Action, value?: unknown): Promise<void> {
    if (this.active || this.selection.isLoading) return
    const { list } = this.selection
    const ids = [...this.selection.ids]
    const active = { action, finished: 0, all: ids.length }
    this.active = active
    this.failure = undefined
    this.notify()
    const left = new Map<number, Error>()
    let done = 0
    const limit = action.limit ?? LIMIT
    for (let start = 0; start < ids.length; start += limit) {
      const some = ids.slice(start, start + limit)
      try {
        const result = await action.run(some, value, list)
        done += result.done.length
        for (const [id, error] of result.failed ?? []) left.set(id, error)
      } catch (error) {
        for (const id of some) left.set(id, error as Error)
      }
      active.finished += some.length
      this.notify()
    }
    if (done > 0 || left.size === 0) this.toasts.show(action.done(done))
    if (left.size > 0) {
      const reasons = [...new Set([...left.values()].map(reasonOf))]
      this.failure = { action, value, reasons, count: left.size }
      this.selection.keep(left.keys())
    } else if (!action.keepsSelection) this.selection.clear()
    await list.refresh()
    this.active = undefined
    this.notify()
  }

  async retry(): Promise<void> {
    if (this.failure) await this.run(this.failure.action, this.failure.value)
  }

  forget(): void {
    this.failure = undefined
    this.notify()
  }
}
