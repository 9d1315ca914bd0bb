import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Album } from '../album'
import { count, month as monthName } from '../texts'
import { useTopic } from '../topic'
import { Cell } from './Cell'
import { type Block, between, type Layout, layout, search, shownAspect } from './layout'

export interface WallHandle {
  toMonth: (month: number) => void
  toSlot: (slot: number, focus?: boolean) => void
}

interface Props {
  album: Album
  handle: { current: WallHandle | null }
  onOpen: (slot: number) => void
  onMonth: (month: number) => void
}

const NARROW = 640
const FIRST_SIGHT = 1_500

function measuresFor(width: number) {
  const narrow = width < NARROW
  return {
    width,
    rowHeight: narrow ? 118 : width < 1200 ? 190 : 230,
    gap: narrow ? 3 : 6,
    heading: narrow ? 44 : 56,
    below: narrow ? 12 : 20,
  }
}

/** What stays where it is on the screen when the wall is laid anew. */
interface Anchor {
  /** A slot's photo by its id, or else the slot; or a month by its name. */
  id?: number | undefined
  slot?: number | undefined
  month?: string | undefined
  /** How far below the upper edge of the window. */
  offset: number
}

/** All photos, of which only the rows near the window are there. */
export function Wall({ album, handle, onOpen, onMonth }: Props) {
  useTopic(album)
  const wall = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [range, setRange] = useState<[number, number]>([0, 0])
  const anchor = useRef<Anchor | undefined>(undefined)
  /** How many windows beyond this one are kept ready: none until the first has been seen. */
  const ahead = useRef(0)
  const focusOn = useRef<{ slot: number; until: number } | undefined>(undefined)
  const laid = useMemo<Layout>(
    () =>
      width
        ? layout(
            {
              starts: album.starts,
              total: album.total,
              aspect: (slot) => {
                const photo = album.slots[slot]
                return photo ? photo.width / photo.height : 4 / 3
              },
              isHidden: (slot) => album.isHidden(slot),
            },
            measuresFor(width),
          )
        : { blocks: [], height: 0 },
    [album, album.version, width],
  )

  const top = () => window.scrollY - (wall.current?.offsetTop ?? 0)

  const look = () => {
    const { innerHeight } = window
    const more = innerHeight * ahead.current
    const [first, last] = between(laid.blocks, top() - more, top() + innerHeight + more)
    setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]))
    const [seen, unseen] = between(laid.blocks, top(), top() + innerHeight)
    anchor.current = window.scrollY < 8 ? undefined : anchored(album, laid.blocks[seen], top())
    const shown = laid.blocks[Math.min(seen + 1, unseen - 1)] ?? laid.blocks[seen]
    if (shown) onMonth(shown.month)
    return [first, last] as const
  }

  useLayoutEffect(() => {
    const element = wall.current as HTMLDivElement
    const observer = new ResizeObserver(() => setWidth(element.clientWidth))
    observer.observe(element)
    setWidth(element.clientWidth)
    return () => observer.disconnect()
  }, [])

  // Laid anew: what was seen stays where it was.
  useLayoutEffect(() => {
    const held = anchor.current
    const block = held && blockOf(album, laid, held)
    if (held && block && Math.abs(block.y - held.offset - top()) > 1) {
      window.scrollTo({ top: block.y - held.offset + (wall.current?.offsetTop ?? 0) })
    }
    look()
  }, [laid])

  useEffect(() => {
    let asked = 0
    const scrolled = () => {
      cancelAnimationFrame(asked)
      asked = requestAnimationFrame(look)
    }
    addEventListener('scroll', scrolled, { passive: true })
    addEventListener('resize', scrolled)
    return () => {
      cancelAnimationFrame(asked)
      removeEventListener('scroll', scrolled)
      removeEventListener('resize', scrolled)
    }
  }, [laid])

  const latest = useRef(look)
  latest.current = look
  useEffect(() => {
    const waiting = setTimeout(() => {
      ahead.current = 0.5
      latest.current()
    }, FIRST_SIGHT)
    return () => clearTimeout(waiting)
  }, [])

  // Who drags the scroll bar past thousands of photos isn't looking at them.
  const started = useRef(false)
  useEffect(() => {
    const rows = laid.blocks.slice(range[0], range[1]).flatMap((block) => block.slots)
    const from = rows[0]
    const to = rows[rows.length - 1]
    if (from === undefined || to === undefined) return
    if (!started.current) {
      started.current = true
      void album.need(from, to + 1)
      return
    }
    const waiting = setTimeout(() => void album.need(from, to + 1), 50)
    return () => clearTimeout(waiting)
  }, [range, album.version, album.starts])

  const cellOf = (slot: number) =>
    wall.current?.querySelector<HTMLElement>(`[data-slot="${slot}"]`) ?? null

  useEffect(() => {
    // A cell that moves when the wall is laid anew loses the focus, which it may just have got.
    const wanted = focusOn.current
    if (!wanted || document.activeElement !== document.body) return
    if (Date.now() < wanted.until) cellOf(wanted.slot)?.focus({ preventScroll: true })
    else focusOn.current = undefined
  })

  const toBlock = (block: Block, edge: number) => {
    anchor.current = undefined
    window.scrollTo({ top: block.y - edge + (wall.current?.offsetTop ?? 0) })
    look()
  }

  handle.current = {
    toMonth: (month) => {
      const block = laid.blocks[search(laid.blocks, (each) => each.month >= month)]
      if (block) toBlock(block, headerHeight())
    },
    toSlot: (slot, focus = false) => {
      const block = blockOf(album, laid, { slot, offset: 0 })
      if (!block) return
      const above = block.y < top() + headerHeight()
      const below = block.y + block.height > top() + window.innerHeight
      if (above || below) toBlock(block, (window.innerHeight - block.height) / 2)
      if (!focus) return
      ;(document.activeElement as HTMLElement | null)?.blur()
      cellOf(slot)?.focus({ preventScroll: true })
      focusOn.current = { slot, until: Date.now() + 1_000 }
    },
  }

  const move = (event: KeyboardEvent) => {
    const from = Number((event.target as HTMLElement).dataset?.slot ?? -1)
    if (from < 0 || event.altKey || event.ctrlKey || event.metaKey) return
    const to = neighbour(album, laid, from, event.key)
    if (to === undefined) return
    event.preventDefault()
    handle.current?.toSlot(to, true)
  }

  const rows = laid.blocks.slice(range[0], range[1])
  const focused = document.activeElement as HTMLElement | null
  const kept = Number(focused?.dataset?.slot ?? -1)
  if (kept >= 0 && !rows.some((row) => row.slots.includes(kept))) {
    // What has the focus stays, or the next Tab would begin at the top of the page.
    const block = blockOf(album, laid, { slot: kept, offset: 0 })
    if (block) rows[block.y < (rows[0]?.y ?? 0) ? 'unshift' : 'push'](block)
  }
  const { gap } = measuresFor(width)

  return (
    <div ref={wall} class="wall" style={{ height: `${laid.height}px` }} onKeyDown={move}>
      {rows.map((block) =>
        block.slots.length === 0 ? (
          <h2
            key={`m${album.months[block.month]?.month}`}
            class="month"
            style={{ top: `${block.y}px`, height: `${block.height}px` }}
          >
            {monthName(album.months[block.month]?.month ?? '')}
            <span>{count(album.months[block.month]?.count ?? 0)}</span>
          </h2>
        ) : (
          <div
            key={`r${block.slots[0]}`}
            class="row"
            style={{ top: `${block.y}px`, height: `${block.height}px`, gap: `${gap}px` }}
          >
            {block.slots.map((slot) => {
              const photo = album.slots[slot]
              const aspect = shownAspect(photo ? photo.width / photo.height : 4 / 3)
              return (
                <Cell
                  key={photo?.id ?? `s${slot}`}
                  slot={slot}
                  photo={photo}
                  width={Math.floor(block.height * aspect * 100) / 100}
                  height={block.height}
                  first={block.y < 500}
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

const headerHeight = () => document.querySelector('header')?.offsetHeight ?? 0

function anchored(album: Album, block: Block | undefined, top: number): Anchor | undefined {
  if (!block) return undefined
  const slot = block.slots[0]
  const offset = block.y - top
  if (slot === undefined) return { month: album.months[block.month]?.month, offset }
  return { id: album.slots[slot]?.id, slot, offset }
}

function blockOf(album: Album, laid: Layout, anchor: Anchor): Block | undefined {
  if (anchor.month) {
    const month = album.months.findIndex((each) => each.month === anchor.month)
    return laid.blocks[search(laid.blocks, (each) => each.month >= month)]
  }
  const slot = (anchor.id !== undefined ? album.slotOf(anchor.id) : undefined) ?? anchor.slot
  if (slot === undefined) return undefined
  const found =
    laid.blocks[
      search(
        laid.blocks,
        (each) => (each.slots.at(-1) ?? -1) >= slot || each.month > album.monthOf(slot),
      )
    ]
  return found?.slots.length ? found : undefined
}

/** Which slot an arrow key leads to. */
function neighbour(album: Album, laid: Layout, from: number, key: string): number | undefined {
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
  const rows = laid.blocks.filter((block) => block.slots.length > 0)
  const here = rows.findIndex((row) => row.slots.includes(from))
  const there = rows[here + (key === 'ArrowUp' ? -1 : 1)]
  const row = rows[here]
  if (!there || !row) return undefined
  const along = (row.slots.indexOf(from) + 0.5) / row.slots.length
  return there.slots[Math.min(there.slots.length - 1, Math.floor(along * there.slots.length))]
}
