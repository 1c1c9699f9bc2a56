// What the file system's errors are told as.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { it } from 'node:test';
import { registryErrorOf } from '../../../../src/registry/drivers/file/failure.ts';

it('says why the default directory cannot be made again, and of no other one', async () => {
  const error: unknown = await mkdir('/nonexistent/1000').catch((thrown: unknown) => thrown);
  const told = (directory: string): string =>
    registryErrorOf(error, 'register a', directory).message;
  assert.match(told('/run/user/1000/outrigger-1000/v1'), /ENOENT.*last session.*enable-linger/);
  assert.doesNotMatch(told('/nonexistent/1000'), /session/);
});
