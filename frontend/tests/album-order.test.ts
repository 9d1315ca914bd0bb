import { describe, expect, it, vi } from 'vitest'
import type { Direction } from '../src/views/album-order'

vi.mock('../src/bootstrap', () => ({ bootstrap: { root: '' } }))
const { slotAfter } = await import('../src/views/album-order')

const ALL = ['a', 'b', 'c', 'd', 'e', 'f']

/** Return the order after a move, as the server makes it. */
function moved(chosen: string, direction: Direction | number, hidden = ''): string {
  const slots = ALL.flatMap((letter, slot) => (chosen.includes(letter) ? [slot] : []))
  const isHidden = (slot: number) => hidden.includes(ALL[slot] as string)
  const before = ALL[slotAfter(slots, direction, ALL.length, isHidden)]
  const others = ALL.filter((letter) => !chosen.includes(letter))
  const place = before === undefined ? others.length : others.indexOf(before)
  others.splice(place, 0, ...slots.map((slot) => ALL[slot] as string))
  return others.join('')
}

describe('moving photos of an album', () => {
  it.each([
    ['d', 'earlier', 'abdcef'],
    ['d', 'later', 'abcedf'],
    ['d', 'first', 'dabcef'],
    ['d', 'last', 'abcefd'],
    ['a', 'earlier', 'abcdef'],
    ['a', 'first', 'abcdef'],
    ['f', 'later', 'abcdef'],
    ['f', 'last', 'abcdef'],
    ['e', 'later', 'abcdfe'],
    ['be', 'earlier', 'beacdf'],
    ['be', 'later', 'acdfbe'],
    ['ac', 'earlier', 'acbdef'],
    ['ac', 'first', 'acbdef'],
    ['a', 3, 'bcadef'],
    ['e', 0, 'eabcdf'],
    ['bd', 1, 'abdcef'],
    ['bd', 6, 'acefbd'],
    ['b', 2, 'abcdef'],
    ['abcdef', 3, 'abcdef'],
    ['abcdef', 'first', 'abcdef'],
    ['abcdef', 'later', 'abcdef'],
  ] as const)('%s %s', (chosen, direction, expected) => {
    expect(moved(chosen, direction)).toBe(expected)
  })

  it('passes photos whose deletion can be undone', () => {
    expect(moved('d', 'earlier', 'c')).toBe('adbcef')
    expect(moved('c', 'later', 'd')).toBe('abdecf')
  })
})
