import { Icon } from './icons-later'
import type { PhotoList } from './photo-list'
import { monthName, texts } from './texts-later'

interface Props {
  list: PhotoList
  /** The index of the month at the top of the window. */
  month: number
  onJump: (month: number) => void
}

export function MonthSelect({ list, month, onJump }: Props) {
  const years = new Map<string, number[]>()
  list.months.forEach(({ month }, index) => {
    const year = month.slice(0, 4)
    years.set(year, [...(years.get(year) ?? []), index])
  })
  return (
    <span class="months">
      <select
        aria-label={texts.goToMonth}
        value={String(month)}
        onChange={(event) => onJump(Number(event.currentTarget.value))}
      >
        {[...years].map(([year, months]) => (
          <optgroup key={year} label={year}>
            {months.map((index) => (
              <option key={index} value={String(index)}>
                {monthName(list.months[index]?.month ?? '')} {year}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <Icon name="down" />
    </span>
  )
}
