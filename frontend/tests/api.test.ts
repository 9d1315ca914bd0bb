import { describe, expect, it, vi } from 'vitest'

vi.mock('../src/bootstrap', () => ({ bootstrap: { root: '/below' } }))
const { joinUrls } = await import('../src/api')

const BEFORE = '?X-Amz-Algorithm=A&X-Amz-Date='
const AFTER = '&X-Amz-Signature='
const type = 'image/webp'
const group = { base: 'http://store/photos/', before: BEFORE, after: AFTER, original: 'original' }
const groups = [
  { ...group, base: 'http://other/', renditions: [] },
  {
    ...group,
    renditions: [
      { name: 'w320', content_type: type, path: 'd1' },
      { name: 'w640', content_type: type, path: 'd2' },
    ],
  },
]

const parts = (shown: string) =>
  ({
    group: 1,
    id: 7,
    folder: 'ab/',
    date: '20241231T000000Z',
    shown,
    original: 'aa',
    renditions: [
      { width: 320, height: 240, signature: 'bb' },
      { width: 640, height: 480, signature: 'cc' },
    ],
  }) as Parameters<typeof joinUrls>[1]

const url = (path: string, signature: string) =>
  `http://store/photos/ab/${path}${BEFORE}20241231T000000Z${AFTER}${signature}`

describe('joinUrls', () => {
  it('returns the URLs of a photo and its renditions', () => {
    expect(joinUrls({ groups }, parts('original'))).toMatchObject({
      id: 7,
      photo_url: url('original', 'aa'),
      original_url: url('original', 'aa'),
      renditions: [
        { name: 'w320', width: 320, height: 240, content_type: type, url: url('d1', 'bb') },
        { name: 'w640', width: 640, height: 480, content_type: type, url: url('d2', 'cc') },
      ],
    })
    expect(joinUrls({ groups }, parts('w640')).photo_url).toBe(url('d2', 'cc'))
    expect(joinUrls({ groups }, parts('w1280')).photo_url).toBe('/below/api/photos/7/w1280')
  })
})
