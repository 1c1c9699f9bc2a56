// The contract suite on real Consul servers.
import { consulBackend } from './backends/consul.ts';
import { driverContract } from './driver-contract.ts';

driverContract('consul', consulBackend);
