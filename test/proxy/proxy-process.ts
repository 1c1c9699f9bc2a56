// A process with nothing but a proxy in it, whose memory a test can look at. Arguments: the instance's port.
import { ProxyFixture } from './fixture.ts';

const fixture = new ProxyFixture({ payments: [Number(process.argv[2])] }, {});
await fixture.proxy.start();
process.on('message', () => {
  process.send?.({ rssBytes: process.memoryUsage().rss });
});
process.on('disconnect', () => void fixture.close());
process.send?.({ port: fixture.port });
