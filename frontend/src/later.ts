/** Code that is not part of the first screen. */

import { type ComponentType, h } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { texts } from './texts'
import type { Toasts } from './toasts'

/** Return a component whose code is loaded when it is first rendered. */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  let Loaded: ComponentType<Props> | undefined
  return (props) => {
    const [, render] = useState(false)
    useEffect(() => {
      const found = (component: ComponentType<Props>) => {
        Loaded = component
        render(true)
      }
      if (!Loaded) load().then(found, () => {})
    }, [])
    return Loaded ? h(Loaded, props) : null
  }
}

/** The message about code that could not be loaded. */
let shown = 0

/** Load code; show a message, and return undefined, if that fails. */
export async function loadCode<T>(
  load: () => Promise<T>,
  toasts: Toasts,
  retry: () => void,
  [notLoaded, outdated]: [string, string] = [texts.codeNotLoaded, texts.outdated],
): Promise<T | undefined> {
  try {
    const code = await load()
    toasts.remove(shown)
    return code
  } catch {
    const isOld = (await serverState()) === 'newer'
    toasts.remove(shown)
    shown = isOld
      ? toasts.show(outdated, { label: texts.reload, run: () => location.reload() })
      : toasts.show(notLoaded, { label: texts.retry, run: retry })
    return undefined
  }
}

/** Import a module. Browsers remember a failure under its URL, so try another one before giving up. */
export async function importAgain<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const url = /https?:\S+\.js/.exec(String(error))?.[0]
    if (!url) throw error
    return (await import(/* @vite-ignore */ `${url}?${Date.now()}`)) as T
  }
}

/** Return whether the server has the files of this page; `newer` if it has those of another. */
export async function serverState(): Promise<'same' | 'newer' | 'away'> {
  try {
    const { status } = await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' })
    return status === 404 ? 'newer' : 'same'
  } catch {
    return 'away'
  }
}
