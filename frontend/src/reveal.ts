import type { Navigation } from './navigation'
import type { Viewer } from './viewer/viewer'

/** Milliseconds in which a view has rendered its photos. */
const MAX_WAIT = 5_000

/** Show a photo that was restored: in the viewer if it is open, otherwise in the grid. */
export async function reveal(navigation: Navigation, id: number): Promise<void> {
  const { list, viewer } = navigation
  await list.refresh()
  if (!(await isHere(navigation, id))) {
    navigation.goTo('')
    await list.refresh()
    if (!(await isHere(navigation, id))) return
  }
  if (viewer && viewer === navigation.viewer) showIn(viewer, navigation, id)
  else await showInGrid(navigation, id)
}

/** Return whether the view has the photo, which is loaded then. */
async function isHere({ list, view, query }: Navigation, id: number): Promise<boolean> {
  // The trash has no restored photo, and other views may have no list.
  if (!view.source || query.includes('view=trash')) return false
  return (await list.locate(id).catch(() => undefined)) !== undefined
}

function showIn(viewer: Viewer, { list }: Navigation, id: number): void {
  const slot = list.slotOf(id)
  if (slot !== undefined) viewer.goTo(slot)
}

/** Scroll to the photo, once the grid has it, and focus it. */
async function showInGrid({ list, grid }: Navigation, id: number): Promise<void> {
  const end = Date.now() + MAX_WAIT
  do {
    await new Promise(requestAnimationFrame)
    const slot = list.slotOf(id)
    if (slot === undefined) return
    grid.current?.toSlot(slot, true)
  } while (!document.activeElement?.matches(`[data-photo="${id}"]`) && Date.now() < end)
}
