/** Text of a client's making for a terminal: it must not move the cursor of whoever looks at it. */
export function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is to be kept out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}
