// The contract suite on a real ZooKeeper server, with the nodes of Nerve.
import { nerveBackend } from './backends/zookeeper.ts';
import { driverContract } from './driver-contract.ts';

driverContract('zookeeper-nerve', nerveBackend);
