// Which texts can be names in a DNS message; the message library checks none of it and would write a broken message.

/** RFC 1035 §2.3.4: labels of 1 to 63 octets, 253 in all without the dot at the end, which must not be there. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && /^(?:[!-\-/-~]{1,63}\.)*[!-\-/-~]{1,63}$/.test(text);
}
