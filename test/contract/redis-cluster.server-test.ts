// The contract suite on a real Redis Cluster.
import { redisClusterBackend } from './backends/redis-cluster.ts';
import { driverContract } from './driver-contract.ts';

driverContract('redis+cluster', redisClusterBackend);
