/** Answers as a table for people. */

/** Columns with their widths, and one more after them that is as wide as it is. */
export type Columns = readonly (readonly [name: string, width: number])[];

const columns: Columns = [
  ["verdict", 8],
  ["score", 6],
  ["scanner", 10],
  ["id", 14],
];

/** @returns one line */
export function tableLine(columns: Columns, cells: readonly string[], last: string): string {
  const padded = columns.map(([, width], index) => (cells[index] ?? "").padEnd(width));
  return `${padded.join(" ")} ${last}`.trimEnd().concat("\n");
}

/** @returns the line of the columns' names */
export function headLine(columns: Columns): string {
  const names = columns.map(([name]) => name);
  return tableLine(columns, names, "findings");
}

const row = (cells: readonly string[], last: string) => tableLine(columns, cells, last);

interface Answer {
  readonly error?: { readonly code: string; readonly message: string };
  readonly line?: number;
  readonly results?: readonly Answer[];
  readonly id?: string;
  readonly verdict?: string;
  readonly threat_score?: number;
  readonly scanner_type?: string;
  readonly findings?: readonly { readonly label: string; readonly score: number }[];
}

/** @returns the head's line */
export function tableHead(): string {
  return headLine(columns);
}

/** Control characters of an id must not reach a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, "?");
}

/** @returns a line for each verdict of an answer, or one for an error */
export function tableRows(value: object): string {
  const answer = value as Answer;
  if (answer.error !== undefined) {
    const where = answer.line === undefined ? "" : `line ${answer.line}`;
    return row(["error", "", "", where], printable(answer.error.message));
  }
  if (answer.results !== undefined) return answer.results.map(tableRows).join("");
  const { verdict = "", threat_score = 0, scanner_type = "", id = "", findings = [] } = answer;
  const labels = [...new Set(findings.map((finding) => finding.label))].join(", ");
  return row([verdict, threat_score.toFixed(3), scanner_type, printable(id)], labels);
}
