import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { transact } from '../../../../src/registry/drivers/hydra/transaction.ts';
import { FakePort, replyError } from '../redis/fake-port.ts';

function portWith(answers: Readonly<Record<string, unknown>>): FakePort {
  const port = new FakePort({ message: () => undefined, lost: () => undefined });
  port.answer = (name) => {
    const answer = answers[name] ?? 'QUEUED';
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return port;
}

describe('a transaction', () => {
  it('sends everything in one go and gives the answers', async () => {
    const port = portWith({ EXEC: [1, 'OK'] });
    const answers = transact(port, [['PEXPIRE', 'k', '5'], ['SET']]);
    assert.deepEqual(port.commands, ['MULTI', 'PEXPIRE', 'SET', 'EXEC']);
    assert.deepEqual(await answers, [1, 'OK']);
  });

  it('fails with the cause', async () => {
    const readOnly = replyError("READONLY You can't write against a read only replica.");
    const aborted = replyError('EXECABORT Transaction discarded because of previous errors.');
    const refused = portWith({ SET: readOnly, EXEC: aborted });
    await assert.rejects(transact(refused, [['SET', 'k']]), { code: 'registry_unavailable' });
    const wrongType = portWith({ EXEC: [replyError('WRONGTYPE Operation against a key')] });
    await assert.rejects(transact(wrongType, [['SET', 'k']]), /WRONGTYPE/);
    const nonsense = portWith({ EXEC: null });
    await assert.rejects(transact(nonsense, [['SET', 'k']]), { code: 'registry_invalid' });
  });
});
