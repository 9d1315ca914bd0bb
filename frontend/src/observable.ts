import { useEffect, useReducer } from 'preact/hooks'

/** A value that notifies its subscribers when it changes. */
export class Observable {
  #listeners = new Set<() => void>()

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  protected notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

/** Render again whenever the observable changes. */
export function useObservable<T extends Observable>(observable: T): T {
  const [, render] = useReducer((renders: number) => renders + 1, 0)
  useEffect(() => {
    render(undefined)
    return observable.subscribe(() => render(undefined))
  }, [observable])
  return observable
}
