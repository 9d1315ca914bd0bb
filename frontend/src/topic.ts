import { useEffect, useReducer } from 'preact/hooks'

/** Something that changes, and tells whoever listens. */
export class Topic {
  #listeners = new Set<() => void>()

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  protected tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/** Render anew whenever the topic changes. */
export function useTopic<T extends Topic>(topic: T): T {
  const [, again] = useReducer((turn: number) => turn + 1, 0)
  useEffect(() => {
    again(undefined)
    return topic.subscribe(() => again(undefined))
  }, [topic])
  return topic
}
