// The contract suite on the keys of a Hydra fleet in a real Redis server.
import { hydraBackend } from './backends/hydra.ts';
import { driverContract } from './driver-contract.ts';

driverContract('hydra', hydraBackend);
