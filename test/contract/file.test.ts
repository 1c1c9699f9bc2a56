// The contract suite on real directories.
import { fileBackend } from './backends/file.ts';
import { driverContract } from './driver-contract.ts';

driverContract('file', fileBackend);
