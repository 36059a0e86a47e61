/** Check digits as their standards define them, over strings of decimal digits, and dates inside of numbers. */

const zero = 48;

function digit(text: string, at: number): number {
  return text.charCodeAt(at) - zero;
}

/** Sum of digits times weights; digits past the weights count nothing. */
export function weighted(digits: string, weights: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < weights.length; at++) sum += digit(digits, at) * (weights[at] as number);
  return sum;
}

/** ISO/IEC 7812-1: the last digit makes the sum, every second digit from the right doubled, a multiple of ten. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, doubled = false; at >= 0; at--, doubled = !doubled) {
    const value = digit(digits, at) * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 === 0;
}

/** Remainder of a number of any length. */
export function remainder(digits: string, divisor: number): number {
  let left = 0;
  for (let at = 0; at < digits.length; at++) left = (left * 10 + digit(digits, at)) % divisor;
  return left;
}

/** ISO 7064 MOD 11,10: German tax numbers, Croatian OIB. */
export function isMod11Of10(digits: string): boolean {
  let check = 5;
  for (let at = 0; at < digits.length; at++) {
    check = ((((check || 10) * 2) % 11) + digit(digits, at)) % 10;
  }
  return check === 1;
}

/** ISO 7064 MOD 11-2, whose last digit may be X for ten: Chinese resident numbers. */
export function isMod11Of2(text: string): boolean {
  let check = 0;
  for (let at = 0; at < text.length; at++) {
    const value = at === text.length - 1 && /[Xx]/.test(text.charAt(at)) ? 10 : digit(text, at);
    check = (check * 2 + value) % 11;
  }
  return check === 1;
}

const dihedral = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
  [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
  [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
  [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
  [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
  [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
  [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
  [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
  [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
] as const;
const permutation = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4] as const;

/** J. Verhoeff, Error Detecting Decimal Codes (1969): Indian Aadhaar numbers. */
export function isVerhoeff(digits: string): boolean {
  let check = 0;
  for (let place = 0; place < digits.length; place++) {
    let value = digit(digits, digits.length - 1 - place);
    for (let times = 0; times < place % 8; times++) value = permutation[value] as number;
    check = (dihedral[check] as readonly number[])[value] as number;
  }
  return check === 0;
}

const daysOfMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Whether a month has such a day; the year is not asked, so that the 29th of February always counts. */
export function isDate(month: number, day: number): boolean {
  return day >= 1 && day <= (daysOfMonth[month - 1] ?? 0);
}
