import type { ComponentChildren, VNode } from 'preact'
import { Fragment } from 'preact'

/** One column of a table. */
export interface TableColumn<T> {
  readonly title: ComponentChildren
  /** Numbers stand on the right. */
  readonly isNumber?: boolean
  /** Takes what room is left. */
  readonly isWide?: boolean
  /** The key that clicking the head sorts by. */
  readonly sort?: string
  readonly cell: (row: T) => ComponentChildren
}

export interface TableProps<T> {
  /** What it lists, for screen readers. */
  readonly label: string
  readonly columns: readonly TableColumn<T>[]
  readonly rows: readonly T[]
  readonly keyOf: (row: T) => string
  /** What stands in place of rows. */
  readonly empty: ComponentChildren
  readonly sortedBy?: string
  readonly sort?: (key: string) => void
  /** More about a row, below it. */
  readonly opened?: string | undefined
  readonly open?: (key: string) => void
  readonly more?: (row: T) => ComponentChildren
}

/** A table that scrolls sideways where there is little room. */
export function Table<T>(props: TableProps<T>): VNode {
  const { columns, rows, keyOf, open, opened } = props
  if (rows.length === 0) return <p class="empty muted">{props.empty}</p>
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={props.label}>
      <table>
        <thead>
          <tr>
            {columns.map((column, i) => (
              <th
                key={i}
                scope="col"
                class={classOf(column)}
                {...(props.sortedBy === column.sort && column.sort !== undefined ? { 'aria-sort': 'descending' } : {})}
              >
                {column.sort === undefined || props.sort === undefined ? (
                  column.title
                ) : (
                  <button type="button" class="head" onClick={() => props.sort?.(column.sort!)}>
                    {column.title}
                    {props.sortedBy === column.sort && <span aria-hidden="true"> ↓</span>}
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const key = keyOf(row)
            return (
              <Fragment key={key}>
                <tr class={opened === key ? 'opened' : ''}>
                  {columns.map((column, i) => (
                    <td key={i} class={classOf(column)}>
                      {i === 0 && open !== undefined ? (
                        <button
                          type="button"
                          class="open"
                          aria-expanded={opened === key}
                          onClick={() => open(opened === key ? '' : key)}
                        >
                          {column.cell(row)}
                        </button>
                      ) : (
                        column.cell(row)
                      )}
                    </td>
                  ))}
                </tr>
                {opened === key && props.more !== undefined && (
                  <tr class="more">
                    <td colSpan={columns.length}>{props.more(row)}</td>
                  </tr>
                )}
              </Fragment>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function classOf({ isNumber, isWide }: Pick<TableColumn<never>, 'isNumber' | 'isWide'>): string {
  return `${isNumber === true ? 'number' : ''}${isWide === true ? ' wide' : ''}`
}
