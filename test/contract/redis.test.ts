// The contract suite on a real Redis server.
import { redisBackend } from './backends/redis.ts';
import { driverContract } from './driver-contract.ts';

driverContract('redis', redisBackend);
