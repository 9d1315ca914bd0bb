import { describe, expect, it } from 'vitest'
import type { Photo } from '../src/api'
import { formatOffset, formatPercent, formatSize, monthName, offsetOf } from '../src/formats-later'
import * as german from '../src/languages/de'
import * as english from '../src/languages/en'
import { animationBadge, texts } from '../src/texts-later'

const SAME_IN_GERMAN = new Set(['album', 'details', 'token', 'zoom'])

describe('animationBadge', () => {
  it('names the format of a GIF only', () => {
    const badge = (content_type: string) => animationBadge({ content_type } as Photo)
    expect(badge('image/gif')).toBe('GIF')
    for (const type of ['image/png', 'image/webp', 'image/avif']) {
      expect(badge(type)).toBe('Animated')
    }
  })
})

describe('offsets', () => {
  it('are read from the end of a time, and shown as UTC', () => {
    const shown = (time: string | null) => {
      const offset = offsetOf(time)
      return offset && formatOffset(offset)
    }
    expect(shown('2023-12-31T17:30:00-08:00')).toBe('UTC−08:00')
    expect(shown('2024-01-01T00:30:00.25+05:45')).toBe('UTC+05:45')
    expect(shown('2024-01-01T00:30:00Z')).toBe('UTC')
    expect(shown('2024-01-01T00:30:00+00:00')).toBe('UTC')
    expect(shown('2024-01-01T00:30:00')).toBe('')
    expect(shown(null)).toBe('')
  })
})

describe('formats', () => {
  it('round sizes, and never round up to 100%', () => {
    expect([0, 999, 1_000, 64_400, 1_260_000, 52_400_000].map(formatSize)).toEqual([
      ...['0 B', '999 B', '1 KB', '64 KB', '1.3 MB', '52 MB'],
    ])
    expect([0, 0.5, 0.999, 1].map(formatPercent)).toEqual(['0%', '50%', '99%', '100%'])
    expect(monthName('2019-05')).toBe('May')
  })
})

describe('languages', () => {
  const counted = (language: typeof english) =>
    [0, 1, 2].map((number) => [
      language.first.photoCount(number),
      language.first.dayCount(number),
      language.later.leftOut(number),
      language.later.notDeletedMany(number),
      language.later.confirm(language.later.delete, number),
    ])

  it('have the right plurals', () => {
    expect(counted(english)).toEqual([
      [
        ...['0 photos', '0 days', '0 files are not photos and were left out.'],
        ...['0 photos could not be deleted.', 'Delete 0 photos?'],
      ],
      [
        ...['1 photo', '1 day', '1 file is not a photo and was left out.'],
        ...['1 photo could not be deleted.', 'Delete 1 photo?'],
      ],
      [
        ...['2 photos', '2 days', '2 files are not photos and were left out.'],
        ...['2 photos could not be deleted.', 'Delete 2 photos?'],
      ],
    ])
    expect(counted(german)).toEqual([
      [
        ...['0 Fotos', '0 Tage', '0 Dateien sind keine Fotos und wurden ausgelassen.'],
        ...['0 Fotos konnten nicht gelöscht werden.', '0 Fotos löschen?'],
      ],
      [
        ...['1 Foto', '1 Tag', '1 Datei ist kein Foto und wurde ausgelassen.'],
        ...['1 Foto konnte nicht gelöscht werden.', '1 Foto löschen?'],
      ],
      [
        ...['2 Fotos', '2 Tage', '2 Dateien sind keine Fotos und wurden ausgelassen.'],
        ...['2 Fotos konnten nicht gelöscht werden.', '2 Fotos löschen?'],
      ],
    ])
  })

  it('have a text of their own for everything', () => {
    const same = Object.entries({ ...german.first, ...german.later })
      .filter(([name, text]) => text !== '' && text === texts[name as keyof typeof texts])
      .map(([name]) => name)
    expect(same.filter((name) => !SAME_IN_GERMAN.has(name))).toEqual([])
  })
})
