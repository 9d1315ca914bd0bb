import { describe, expect, it } from 'vitest'
import type { Photo } from '../src/api'
import { animationBadge, formatOffset, offsetOf } from '../src/texts-later'

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
