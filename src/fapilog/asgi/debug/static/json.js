/* JSON whose whole numbers are what the server wrote: past 2⁵³ JavaScript would round them, and an id would be another's.

   They become BigInts where the browser gives a reviver the source (Chromium 114, Firefox 135, Safari 18.4); in older
   ones they are rounded. */

const LONG = /\d{16}/; // where none is, nothing can be rounded; a reviver takes several times as long

export function parsed(text) {
  return JSON.parse(text, LONG.test(text) ? whole : undefined);
}

export function written(value, indent = 0) {
  return JSON.stringify(value, (name, each) => (typeof each === "bigint" ? JSON.rawJSON(String(each)) : each), indent);
}

function whole(name, value, context) {
  const exact = typeof value !== "number" || Number.isSafeInteger(value) || !/^-?\d+$/.test(context?.source);
  return exact ? value : BigInt(context.source);
}
