// The routes that hydra-router reads to send requests to a service.
import type { Instance } from '../../../core/instance.ts';
import { hydraMeta } from './node-record.ts';

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
const pattern = /^\[[a-z]+\]\/\S*$/;

export interface Routes {
  readonly patterns: readonly string[];
  /** `all`: they replace what is there, as Hydra does; `some`: they are added to what others may have registered. */
  readonly extent: 'all' | 'some';
}

/**
 * From meta `hydra.routes`, patterns such as `[get]/v1/things/:id` between spaces or commas; one without a method is for all
 * methods. Without it everything below `/<service>`. Hydra's own three (`/<service>`, `/<service>/` and `/<service>/:rest`)
 * are there in any case, as after its `registerRoutes`.
 */
export function routesOf({ service, meta }: Instance): Routes {
  const own = [`[get]/${service}`, `[get]/${service}/`, `[get]/${service}/:rest`];
  const given = (meta[hydraMeta.routes] ?? '').split(/[\s,]+/).flatMap(withMethods);
  if (given.length > 0) return { patterns: [...new Set([...given, ...own])], extent: 'all' };
  return { patterns: [...withMethods(`/${service}/*rest`), ...own], extent: 'some' };
}

function withMethods(route: string): readonly string[] {
  if (route.startsWith('/')) return methods.map((method) => `[${method}]${route}`);
  return pattern.test(route) ? [route] : [];
}
