import { describe, expect, it } from 'vitest'
import * as tables from '../src/shortcuts/shortcuts'

const { find, GRID, PAGE, SELECTED, SELECTING, SLIDESHOW, VIEWER } = tables

const press = (key: string, held: Partial<KeyboardEvent> = {}) => ({
  ...{ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false },
  ...held,
})

describe('shortcuts', () => {
  it('have no key twice in one place', () => {
    const places = [
      [PAGE, GRID, SELECTING, SELECTED],
      [PAGE, VIEWER],
      [PAGE, SLIDESHOW],
    ]
    for (const place of places) {
      const all = place.flatMap((table) =>
        Object.values(table as Record<string, tables.Shortcut>).flatMap(({ keys, ctrl, shift }) =>
          keys.map((key) => `${ctrl ?? ''} ${shift ?? ''} ${key}`),
        ),
      )
      expect(new Set(all).size).toBe(all.length)
    }
  })

  it('are found with the modifiers that they need, and no others', () => {
    expect(find(SELECTING, press('a', { ctrlKey: true }))).toBe('all')
    expect(find(SELECTING, press('a', { metaKey: true }))).toBe('all')
    expect(find(SELECTING, press('a'))).toBeUndefined()
    expect(find(SELECTING, press('a', { ctrlKey: true, shiftKey: true }))).toBeUndefined()
    expect(find(SELECTING, press('End', { shiftKey: true }))).toBe('extend')
    expect(find(GRID, press('End', { shiftKey: true }))).toBeUndefined()
    expect(find(VIEWER, press('f'))).toBe('fullScreen')
    expect(find(VIEWER, press('F'))).toBe('fullScreen')
    expect(find(VIEWER, press('f', { ctrlKey: true }))).toBeUndefined()
    expect(find(VIEWER, press('s', { altKey: true }))).toBeUndefined()
  })

  it('are signs with Shift or without, as the keyboard needs', () => {
    expect(find(PAGE, press('?', { shiftKey: true }))).toBe('help')
    expect(find(PAGE, press('?'))).toBe('help')
    expect(find(PAGE, press('/', { shiftKey: true }))).toBe('search')
  })
})
