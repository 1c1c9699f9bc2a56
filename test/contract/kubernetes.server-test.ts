// The contract suite on a real Kubernetes API server.
import { kubernetesBackend } from './backends/kubernetes.ts';
import { driverContract } from './driver-contract.ts';

driverContract('kubernetes', kubernetesBackend);
