import { viewUrl } from './address'

/** Show the view of an address's query, from a component without the navigation. */
export function goTo(query: string, how: 'push' | 'replace' = 'push'): void {
  history[`${how}State`](null, '', viewUrl(query))
  scrollTo(0, 0)
  dispatchEvent(new PopStateEvent('popstate'))
}
