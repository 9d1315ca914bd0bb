import { afterEach, describe, expect, it, vi } from 'vitest'
import { sortTime } from '../src/sort-time'
import { modifiedAt } from '../src/uploads/modified-at'

afterEach(() => {
  vi.unstubAllEnvs()
})

const at = (taken_at: string | null) => sortTime({ taken_at, created_at: '2024-01-01T00:00:00Z' })

describe('sortTime', () => {
  it('is the local time of the camera, whatever its offset', () => {
    const losAngeles = at('2023-12-31T17:30:00-08:00')
    const berlin = at('2024-01-01T00:30:00+01:00')
    expect(losAngeles).toBeLessThan(berlin)
    expect(at('2024-01-01T00:30:00')).toBe(berlin)
    expect(at('2024-01-01T00:30:00Z')).toBe(berlin)
  })

  it('is the time when the photo was added if there is no other', () => {
    expect(at(null)).toBe(Date.UTC(2024, 0, 1) * 1000)
    expect(sortTime({ taken_at: null, created_at: '2024-01-01T02:00:00+02:00' })).toBe(at(null))
  })

  it('counts microseconds', () => {
    expect(at('2024-01-01T00:00:00.123456') - at('2024-01-01T00:00:00.1')).toBe(23_456)
    expect(at('2024-01-01T00:00:00.000001+02:00') - at('2024-01-01T00:00:00+02:00')).toBe(1)
  })
})

describe('modifiedAt', () => {
  const summer = Date.UTC(2019, 6, 7, 12, 34, 56, 789)

  it.each([
    ['UTC', '2019-07-07T12:34:56.789+00:00'],
    ['Europe/Berlin', '2019-07-07T14:34:56.789+02:00'],
    ['America/St_Johns', '2019-07-07T10:04:56.789-02:30'],
    ['Asia/Kathmandu', '2019-07-07T18:19:56.789+05:45'],
  ])('is in the time zone of the browser: %s', (zone, time) => {
    vi.stubEnv('TZ', zone)
    expect(modifiedAt({ lastModified: summer })).toBe(time)
    expect(Date.parse(time)).toBe(summer)
  })

  it('is unknown for the clocks of broken file systems', () => {
    for (const lastModified of [0, -1, NaN, 8.64e15, 1e300, Date.UTC(10_000, 1, 1)]) {
      expect(modifiedAt({ lastModified })).toBeUndefined()
    }
  })
})
