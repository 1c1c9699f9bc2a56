// The contract suite on a real ZooKeeper server.
import { zooKeeperBackend } from './backends/zookeeper.ts';
import { driverContract } from './driver-contract.ts';

driverContract('zookeeper', zooKeeperBackend);
