// Secrets in texts that people read: the user information of URLs and the values of things with telling names.

const secretName =
  /pass(?:word|wd|phrase)?$|secret|token|credential|authorization|cookie|api-?key/i;

/** True for names of headers, fields and parameters whose values are never shown. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/**
 * The text with `***` in place of every secret that can be recognised: user information in URLs, `password=…` and the like,
 * and the value of an `Authorization` header. It rather hides too much than too little. The bounds keep it linear, for
 * anybody may have written the text.
 */
export function redactText(text: string): string {
  if (!/[@=:-]/.test(text)) return text;
  return text
    .replace(
      /([a-z][a-z0-9+.-]{0,31}:\/\/)([^\s"']{0,2048})@/gi,
      (_all, scheme: string, userInfo: string) => {
        const colon = userInfo.indexOf(':');
        return `${scheme}${colon < 0 ? '' : userInfo.slice(0, colon + 1)}***@`;
      },
    )
    .replace(/((?:authorization|cookie):\s*)[^"']+/gi, '$1***')
    .replace(
      /((?:password|passwd|passphrase|secret|token|api-?key)["']?[=:]\s*)[^\s&"']+/gi,
      '$1***',
    )
    .replace(/(\s--?[\w-]*(?:password|passphrase|secret|token|api-?key)\s+)[^\s"']+/gi, '$1***');
}
