import { escapeHtml } from './escape.ts';

/** A row of pictures under one name. */
export interface PictureRow {
  name: string;
  /** Data URIs, one a column. */
  pictures: readonly string[];
}

/** Pictures side by side, a row each sample, as HTML. */
export function pictureTable(columns: readonly string[], rows: readonly PictureRow[]): string {
  if (rows.length === 0) return '<p>There are no validation images.</p>';
  const head = columns.map((column) => `<th>${escapeHtml(column)}</th>`).join('');
  const body = rows.map(({ name, pictures }) => {
    const cells = pictures.map(
      (src, i) =>
        `<td><img src="${src}" alt="${escapeHtml(`${columns[i]} of ${name}`)}" loading="lazy"></td>`,
    );
    return `<tr>${cells.join('')}</tr><tr class="name"><td colspan="${columns.length}">${escapeHtml(name)}</td></tr>`;
  });
  return `<table class="pictures"><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>`;
}
