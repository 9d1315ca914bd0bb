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

/** Load code; show a message, and return undefined, if that fails. */
export async function loadCode<T>(
  load: () => Promise<T>,
  toasts: Toasts,
  retry: () => void,
): Promise<T | undefined> {
  try {
    return await load()
  } catch {
    if (await isOutdated()) {
      toasts.show(texts.outdated, { label: texts.reload, run: () => location.reload() })
    } else {
      toasts.show(texts.codeNotLoaded, { label: texts.retry, run: retry })
    }
    return undefined
  }
}

/** Return whether the server has another version of the page: then this one's files are gone. */
async function isOutdated(): Promise<boolean> {
  try {
    return (await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' })).status === 404
  } catch {
    return false
  }
}
