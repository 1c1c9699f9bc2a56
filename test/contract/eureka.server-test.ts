// The contract suite on real Eureka servers.
import { eurekaBackend } from './backends/eureka.ts';
import { driverContract } from './driver-contract.ts';

driverContract('eureka', eurekaBackend);
