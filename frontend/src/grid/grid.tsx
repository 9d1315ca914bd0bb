import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Album } from '../album'
import { useObservable } from '../observable'
import { monthAndYear, photoCount } from '../texts'
import {
  type Block,
  blocksBetween,
  clampAspectRatio,
  computeLayout,
  firstIndex,
  type Layout,
} from './layout'
import { Tile } from './tile'

export interface GridHandle {
  toMonth: (month: number) => void
  toSlot: (slot: number, focus?: boolean) => void
}

interface Props {
  album: Album
  handle: { current: GridHandle | null }
  onOpen: (slot: number) => void
  onMonth: (month: number) => void
}

const NARROW = 640
/** How long the first screen loads before rows outside the window are rendered. */
const OVERSCAN_DELAY = 1_500
/** How many window heights of rows are rendered above and below the window. */
const OVERSCAN = 0.5
const DEFAULT_ASPECT_RATIO = 4 / 3

function sizesFor(width: number) {
  const isNarrow = width < NARROW
  return {
    width,
    rowHeight: isNarrow ? 118 : width < 1200 ? 190 : 230,
    gap: isNarrow ? 3 : 6,
    headingHeight: isNarrow ? 44 : 56,
    monthGap: isNarrow ? 12 : 20,
  }
}

/** The block that keeps its position in the window when the layout changes. */
interface Anchor {
  /** The id of a photo, and its slot in case the photo is gone; or a month (YYYY-MM). */
  id?: number | undefined
  slot?: number | undefined
  month?: string | undefined
  /** The distance from the top of the window. */
  offset: number
}

/** All photos. Only the rows near the window are rendered. */
export function PhotoGrid({ album, handle, onOpen, onMonth }: Props) {
  useObservable(album)
  const grid = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [range, setRange] = useState<[number, number]>([0, 0])
  const anchor = useRef<Anchor | undefined>(undefined)
  const overscan = useRef(0)
  const focusTarget = useRef<{ slot: number; until: number } | undefined>(undefined)
  const layout = useMemo<Layout>(
    () =>
      width
        ? computeLayout(
            {
              starts: album.starts,
              total: album.total,
              aspectRatio: (slot) => aspectRatioOf(album, slot),
              isHidden: (slot) => album.isHidden(slot),
            },
            sizesFor(width),
          )
        : { blocks: [], height: 0 },
    [album, album.version, width],
  )

  const top = () => window.scrollY - (grid.current?.offsetTop ?? 0)

  const updateRange = () => {
    const { innerHeight } = window
    const margin = innerHeight * overscan.current
    const [first, last] = blocksBetween(layout.blocks, top() - margin, top() + innerHeight + margin)
    setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]))
    const [visible, end] = blocksBetween(layout.blocks, top(), top() + innerHeight)
    anchor.current = window.scrollY < 8 ? undefined : anchorAt(album, layout.blocks[visible], top())
    const current = layout.blocks[Math.min(visible + 1, end - 1)] ?? layout.blocks[visible]
    if (current) onMonth(current.month)
  }

  useLayoutEffect(() => {
    const element = grid.current as HTMLDivElement
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    setWidth(element.clientWidth)
    return () => observer.disconnect()
  }, [])

  // After a new layout, scroll so that the anchor keeps its position in the window.
  useLayoutEffect(() => {
    const before = anchor.current
    const block = before && blockOf(album, layout, before)
    if (before && block && Math.abs(block.y - before.offset - top()) > 1) {
      window.scrollTo({ top: block.y - before.offset + (grid.current?.offsetTop ?? 0) })
    }
    updateRange()
  }, [layout])

  useEffect(() => {
    let frame = 0
    const onScroll = () => {
      cancelAnimationFrame(frame)
      frame = requestAnimationFrame(updateRange)
    }
    addEventListener('scroll', onScroll, { passive: true })
    addEventListener('resize', onScroll)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener('scroll', onScroll)
      removeEventListener('resize', onScroll)
    }
  }, [layout])

  const latestUpdate = useRef(updateRange)
  latestUpdate.current = updateRange
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
    const slots = layout.blocks.slice(range[0], range[1]).flatMap((block) => block.slots)
    const from = slots[0]
    const to = slots[slots.length - 1]
    if (from === undefined || to === undefined) return
    if (!hasLoaded.current) {
      hasLoaded.current = true
      void album.loadVisible(from, to + 1)
      return
    }
    const timer = setTimeout(() => void album.loadVisible(from, to + 1), 50)
    return () => clearTimeout(timer)
  }, [range, album.version, album.starts])

  const tileOf = (slot: number) =>
    grid.current?.querySelector<HTMLElement>(`[data-slot="${slot}"]`) ?? null

  useEffect(() => {
    // A tile that moves to another row loses the focus that it has just been given.
    const target = focusTarget.current
    if (!target || document.activeElement !== document.body) return
    if (Date.now() < target.until) tileOf(target.slot)?.focus({ preventScroll: true })
    else focusTarget.current = undefined
  })

  const scrollToBlock = (block: Block, offset: number) => {
    anchor.current = undefined
    window.scrollTo({ top: block.y - offset + (grid.current?.offsetTop ?? 0) })
    updateRange()
  }

  handle.current = {
    toMonth: (month) => {
      const block = layout.blocks[firstIndex(layout.blocks, (block) => block.month >= month)]
      if (block) scrollToBlock(block, headerHeight())
    },
    toSlot: (slot, focus = false) => {
      const block = blockOf(album, layout, { slot, offset: 0 })
      if (!block) return
      const isAbove = block.y < top() + headerHeight()
      const isBelow = block.y + block.height > top() + window.innerHeight
      if (isAbove || isBelow) scrollToBlock(block, (window.innerHeight - block.height) / 2)
      if (!focus) return
      ;(document.activeElement as HTMLElement | null)?.blur()
      tileOf(slot)?.focus({ preventScroll: true })
      focusTarget.current = { slot, until: Date.now() + 1_000 }
    },
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const from = Number((event.target as HTMLElement).dataset?.slot ?? -1)
    if (from < 0 || event.altKey || event.ctrlKey || event.metaKey) return
    const to = neighbour(album, layout, from, event.key)
    if (to === undefined) return
    event.preventDefault()
    handle.current?.toSlot(to, true)
  }

  const rows = layout.blocks.slice(range[0], range[1])
  const focused = document.activeElement as HTMLElement | null
  const focusedSlot = Number(focused?.dataset?.slot ?? -1)
  if (focusedSlot >= 0 && !rows.some((row) => row.slots.includes(focusedSlot))) {
    // Keep the row that has the focus, or the next Tab would start at the top of the page.
    const block = blockOf(album, layout, { slot: focusedSlot, offset: 0 })
    if (block) rows[block.y < (rows[0]?.y ?? 0) ? 'unshift' : 'push'](block)
  }
  const { gap } = sizesFor(width)

  return (
    <div ref={grid} class="grid" style={{ height: `${layout.height}px` }} onKeyDown={onKeyDown}>
      {rows.map((block) =>
        block.slots.length === 0 ? (
          <h2
            key={`m${album.months[block.month]?.month}`}
            class="month"
            style={{ top: `${block.y}px`, height: `${block.height}px` }}
          >
            {monthAndYear(album.months[block.month]?.month ?? '')}
            <span>{photoCount(album.months[block.month]?.count ?? 0)}</span>
          </h2>
        ) : (
          <div
            key={`r${block.slots[0]}`}
            class="row"
            style={{ top: `${block.y}px`, height: `${block.height}px`, gap: `${gap}px` }}
          >
            {block.slots.map((slot) => {
              const photo = album.slots[slot]
              const ratio = clampAspectRatio(aspectRatioOf(album, slot))
              return (
                <Tile
                  key={photo?.id ?? `s${slot}`}
                  slot={slot}
                  photo={photo}
                  width={Math.floor(block.height * ratio * 100) / 100}
                  height={block.height}
                  isFirst={block.y < 500}
                  onOpen={onOpen}
                />
              )
            })}
          </div>
        ),
      )}
    </div>
  )
}

function aspectRatioOf(album: Album, slot: number): number {
  const photo = album.slots[slot]
  return photo ? photo.width / photo.height : DEFAULT_ASPECT_RATIO
}

const headerHeight = () => document.querySelector('header')?.offsetHeight ?? 0

function anchorAt(album: Album, block: Block | undefined, top: number): Anchor | undefined {
  if (!block) return undefined
  const slot = block.slots[0]
  const offset = block.y - top
  if (slot === undefined) return { month: album.months[block.month]?.month, offset }
  return { id: album.slots[slot]?.id, slot, offset }
}

function blockOf(album: Album, layout: Layout, anchor: Anchor): Block | undefined {
  if (anchor.month) {
    const month = album.months.findIndex(({ month }) => month === anchor.month)
    return layout.blocks[firstIndex(layout.blocks, (block) => block.month >= month)]
  }
  const slot = (anchor.id !== undefined ? album.slotOf(anchor.id) : undefined) ?? anchor.slot
  if (slot === undefined) return undefined
  const found =
    layout.blocks[
      firstIndex(
        layout.blocks,
        (block) => (block.slots.at(-1) ?? -1) >= slot || block.month > album.monthOf(slot),
      )
    ]
  return found?.slots.length ? found : undefined
}

/** Return the slot to which a key moves the focus. */
function neighbour(album: Album, layout: Layout, from: number, key: string): number | undefined {
  const step = (by: number) => {
    let slot = from + by
    while (album.isHidden(slot)) slot += by
    return slot >= 0 && slot < album.total ? slot : undefined
  }
  if (key === 'ArrowLeft') return step(-1)
  if (key === 'ArrowRight') return step(1)
  if (key === 'Home') return 0
  if (key === 'End') return album.total - 1
  if (key !== 'ArrowUp' && key !== 'ArrowDown') return undefined
  const rows = layout.blocks.filter((block) => block.slots.length > 0)
  const index = rows.findIndex((row) => row.slots.includes(from))
  const next = rows[index + (key === 'ArrowUp' ? -1 : 1)]
  const row = rows[index]
  if (!next || !row) return undefined
  const fraction = (row.slots.indexOf(from) + 0.5) / row.slots.length
  return next.slots[Math.min(next.slots.length - 1, Math.floor(fraction * next.slots.length))]
}
