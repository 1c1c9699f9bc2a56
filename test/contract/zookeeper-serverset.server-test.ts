// The contract suite on a real ZooKeeper server, with the nodes of serversets.
import { serversetBackend } from './backends/zookeeper.ts';
import { driverContract } from './driver-contract.ts';

driverContract('zookeeper-serverset', serversetBackend);
