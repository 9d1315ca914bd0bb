import { type ComponentType, Fragment } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { PhotoList } from '../photo-list'
import { useObservable } from '../observable'
import type { MarkProps } from '../selection/mark'
import { monthAndYear, photoCount } from '../texts'
import { type Anchor, anchorAt, blockOf } from './anchor'
import { sizesFor } from './sizes'
import { type Block, Layout } from './layout'
import { ScrollMap } from './scroll-map'
import { Scroller } from './scroller'
import { Tile } from './tile'

export interface GridHandle {
  toMonth: (month: number) => void
  toSlot: (slot: number, focus?: boolean) => void
}

interface Props {
  list: PhotoList
  /** Follows the tile of each loaded photo. */
  Mark: ComponentType<MarkProps> | undefined
  handle: { current: GridHandle | null }
  onOpen: (slot: number) => void
  onMonth: (month: number) => void
}

/** How long the first screen loads before rows outside the window are rendered. */
const OVERSCAN_DELAY = 1_500
/** How many window heights of rows are rendered above and below the window. */
const OVERSCAN = 0.5
/** How long a photo waits to be loaded, or gets the focus again if it moves while others load. */
const FOCUS_TIME = 30_000
/** The least width of a month in which its number of photos has room beside its name. */
const COUNT_WIDTH = 225

/** The part of the grid that is rendered, its blocks in a layout, and the scroller's offset. */
interface View {
  top: number
  bottom: number
  layout: Layout
  blocks: Block[]
  offset: number
}

/** All photos. Only the rows near the window are rendered. */
export function PhotoGrid({ list, Mark, handle, onOpen, onMonth }: Props) {
  useObservable(list)
  const grid = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const layout = useMemo(
    () =>
      new Layout(
        {
          starts: width ? list.starts : [],
          total: list.total,
          loaded: list.photos.keys(),
          aspectRatio: (slot) => {
            const photo = list.photos.get(slot)
            return photo ? photo.width / photo.height : NaN
          },
          isHidden: (slot) => list.isHidden(slot),
        },
        sizesFor(width, Boolean(list.months[0]?.month)),
      ),
    [list, list.version, width],
  )
  const map = useMemo(() => new ScrollMap(layout.height), [layout.height])
  const [view, setView] = useState<View>({ top: 0, bottom: 0, layout, blocks: [], offset: 0 })
  const scroller = useRef<Scroller | undefined>(undefined)
  const anchor = useRef(list.anchor as Anchor | undefined)
  /** The month that was chosen last, until the user scrolls. */
  const chosen = useRef<string | undefined>(undefined)
  const overscan = useRef(0)
  const focusTarget = useRef<{ slot: number; until: number } | undefined>(undefined)

  const updateView = () => {
    const { y = 0, offset = 0 } = scroller.current ?? {}
    const margin = innerHeight * overscan.current
    const top = y - margin
    const bottom = y + innerHeight + margin
    const next = { top, bottom, layout, blocks: layout.between(top, bottom), offset }
    setView((before) => (isSame(before, next) ? before : next))
    const [first, second = first] = layout.between(y, y + innerHeight)
    const month = list.months.findIndex(({ month }) => month === chosen.current)
    const heading = layout.headingOf(month)
    const isAtTop = y + (grid.current?.offsetTop ?? 0) < 8
    list.anchor = anchor.current = isAtTop ? undefined : anchorAt(list, heading ?? first, y)
    if (heading) onMonth(month)
    else if (second) onMonth(second.month)
  }
  const latestUpdate = useRef(updateView)
  latestUpdate.current = updateView

  useLayoutEffect(() => {
    const element = grid.current as HTMLDivElement
    scroller.current = new Scroller(element, (isByUser) => {
      if (isByUser) chosen.current = focusTarget.current = undefined
      latestUpdate.current()
    })
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    setWidth(element.clientWidth)
    const onResize = () => latestUpdate.current()
    addEventListener('resize', onResize)
    const unlisten = scroller.current.listen()
    return () => {
      observer.disconnect()
      removeEventListener('resize', onResize)
      unlisten()
    }
  }, [])

  // After a new layout, the anchor keeps its position in the window.
  useLayoutEffect(() => {
    const before = anchor.current
    const block = before && blockOf(list, layout, before)
    scroller.current?.setMap(map, block && block.y - before.offset)
    updateView()
  }, [layout])

  useEffect(() => {
    const timer = setTimeout(() => {
      overscan.current = OVERSCAN
      latestUpdate.current()
    }, OVERSCAN_DELAY)
    return () => clearTimeout(timer)
  }, [])

  // Load after a short delay: dragging the scroll bar passes thousands of photos.
  const hasLoaded = useRef(false)
  useEffect(() => {
    const slots = view.blocks.flatMap((block) => block.slots)
    const from = slots[0]
    const to = slots[slots.length - 1]
    if (from === undefined || to === undefined) return
    if (!hasLoaded.current) {
      hasLoaded.current = true
      void list.loadVisible(from, to + 1)
      return
    }
    const timer = setTimeout(() => void list.loadVisible(from, to + 1), 50)
    return () => clearTimeout(timer)
  }, [view, list.version, list.starts])

  const tileOf = (slot: number) =>
    grid.current?.querySelector<HTMLElement>(`[data-slot="${slot}"]`) ?? null

  useLayoutEffect(() => {
    // A tile loses the focus when its photo is loaded, or when it moves to another row.
    const target = focusTarget.current
    if (!target || document.activeElement !== document.body) return
    if (Date.now() < target.until) tileOf(target.slot)?.focus({ preventScroll: true })
    else focusTarget.current = undefined
  })

  const scrollTo = (y: number) => {
    anchor.current = undefined
    scroller.current?.moveTo(y)
  }

  const toSlot = (slot: number, focus = false) => {
    const row = layout.rowOf(slot)
    if (!row) return
    const y = row.y - (scroller.current?.y ?? 0)
    if (y < headerHeight() || y + row.height > innerHeight) {
      scrollTo(row.y - (innerHeight - row.height) / 2)
    }
    if (!focus) return
    ;(document.activeElement as HTMLElement | null)?.blur()
    tileOf(slot)?.focus({ preventScroll: true })
    focusTarget.current = { slot, until: Date.now() + FOCUS_TIME }
  }

  handle.current = {
    toMonth: (month) => {
      let heading: Block | undefined
      for (; month < list.months.length && !heading; month++) heading = layout.headingOf(month)
      if (!heading) return
      chosen.current = list.months[heading.month]?.month
      scrollTo(heading.y - headerHeight())
    },
    toSlot,
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = event
    if (slotOf(event.target) < 0 || event.altKey || event.ctrlKey || event.metaKey) return
    if (!/^(Arrow|Home|End)/.test(key)) return
    event.preventDefault()
    void import('./neighbours').then(({ neighbour }) => {
      // Another key may have moved the focus meanwhile.
      const to = neighbour(list, layout, slotOf(document.activeElement), key)
      if (to !== undefined) toSlot(to, true)
    })
  }

  const onFocusOut = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget && slotOf(relatedTarget) < 0) focusTarget.current = undefined
  }

  // The view is that of the layout before until the effects have run: months may be gone.
  const isCurrent = view.layout === layout
  const rows = isCurrent ? [...view.blocks] : layout.between(view.top, view.bottom)
  const focused = slotOf(document.activeElement)
  list.pinned = focused < 0 ? undefined : focused
  if (focused >= 0 && !rows.some((row) => row.slots.includes(focused))) {
    // Keep the row that has the focus, or the next Tab would start at the top of the page.
    const row = layout.rowOf(focused)
    if (row) rows[row.y < (rows[0]?.y ?? 0) ? 'unshift' : 'push'](row)
  }

  return (
    <div
      ref={grid}
      class="grid"
      style={{ height: `${map.documentHeight}px` }}
      onKeyDown={onKeyDown}
      onFocusOut={onFocusOut}
      onKeyUp={(event) => {
        // The row may be far from where the browser has scrolled.
        if (event.key === 'Tab') toSlot(slotOf(event.target))
      }}
    >
      {rows.map((block) => {
        const { month = '', count = 0 } = list.months[block.month] ?? {}
        const style = {
          left: `${block.x}px`,
          top: `${block.y - view.offset}px`,
          width: `${block.width}px`,
          height: `${block.height}px`,
        }
        return block.slots.length === 0 ? (
          <h2 key={`m${month}`} class="month" style={style}>
            {monthAndYear(month)}
            <span class={block.width < COUNT_WIDTH ? 'visually-hidden' : ''}>
              {photoCount(count)}
            </span>
          </h2>
        ) : (
          <div
            key={`r${block.slots[0]}`}
            class="row"
            style={{ ...style, gap: `${layout.sizes.gap}px` }}
          >
            {layout.spans(block).map(({ slot, x, width }) => {
              const photo = list.photos.get(slot)
              return (
                <Fragment key={photo?.id ?? `s${slot}`}>
                  <Tile
                    slot={slot}
                    photo={photo}
                    width={Math.floor(width * 100) / 100}
                    height={block.height}
                    isFirst={block.y < 500}
                    onOpen={onOpen}
                  />
                  {Mark && photo && (
                    <Mark slot={slot} photo={photo} x={x - block.x} width={width} />
                  )}
                </Fragment>
              )
            })}
          </div>
        )
      })}
    </div>
  )
}

const isSame = (one: View, other: View): boolean =>
  one.layout === other.layout &&
  one.offset === other.offset &&
  one.blocks.length === other.blocks.length &&
  one.blocks[0]?.y === other.blocks[0]?.y

const slotOf = (target: EventTarget | null): number =>
  Number((target as HTMLElement | null)?.dataset?.slot ?? -1)

const headerHeight = () => document.querySelector('header')?.offsetHeight ?? 0
