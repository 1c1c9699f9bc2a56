// The contract suite on a real etcd server.
import { etcdBackend } from './backends/etcd.ts';
import { driverContract } from './driver-contract.ts';

driverContract('etcd', etcdBackend);
