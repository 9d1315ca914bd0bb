import { describe, expect, it } from 'vitest'
import type { Photo } from '../src/api'
import { animationBadge } from '../src/texts'

describe('animationBadge', () => {
  it('names the format of a GIF only', () => {
    const badge = (content_type: string) => animationBadge({ content_type } as Photo)
    expect(badge('image/gif')).toBe('GIF')
    for (const type of ['image/png', 'image/webp', 'image/avif']) {
      expect(badge(type)).toBe('Animated')
    }
  })
})
