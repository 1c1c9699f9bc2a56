// File names of instances.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fileNameOf, isRecordName } from '../../../../src/registry/drivers/file/names.ts';

describe('fileNameOf', () => {
  it('leaves ordinary ids readable', () => {
    assert.equal(fileNameOf('payments-host.local-8080-1a2b'), 'payments-host.local-8080-1a2b.json');
  });

  it('never leaves the folder, hides or collides where case is ignored', () => {
    assert.equal(fileNameOf('../../etc/passwd'), '%2e.%2f..%2fetc%2fpasswd.json');
    assert.equal(fileNameOf('..'), '%2e..json');
    assert.equal(fileNameOf('A'), '%41.json');
    assert.equal(fileNameOf('ü'), '%c3%bc.json');
    assert.equal(fileNameOf('a%41'), 'a%2541.json');
  });

  it('is a plain, short, distinct record name for any id', () => {
    const id = fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }), longId);
    fc.assert(
      fc.property(id, id, (a, b) => {
        const name = fileNameOf(a);
        assert.equal(basename(name), name);
        assert.ok(Buffer.byteLength(name) <= 200);
        assert.match(name, /^[a-z0-9%_~-][a-z0-9%._~-]*\.json$/);
        assert.ok(isRecordName(name));
        assert.equal(fileNameOf(b) === name, wellFormed(a) === wellFormed(b));
      }),
    );
  });
});

const longId = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 180, maxLength: 255 });

/** Lone surrogates have no UTF-8 and are all written as one replacement character. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
