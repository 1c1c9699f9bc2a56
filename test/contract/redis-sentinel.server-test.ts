// The contract suite on real Redis servers behind Sentinel.
import { redisSentinelBackend } from './backends/redis-sentinel.ts';
import { driverContract } from './driver-contract.ts';

driverContract('redis+sentinel', redisSentinelBackend);
