/** Routes of buckets. https://cloud.google.com/storage/docs/json_api/v1/buckets */
import { getPolicy, setPolicy, testPermissions } from '../../kernel/policy-routes.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { page } from '../../kernel/paging.ts'
import type { Policy, Target } from '../../kernel/policy.ts'
import type { AnyRoute, Route, RouteRequest } from '../../kernel/room.ts'
import { required } from './errors.ts'
import { BucketBody, PolicyBody } from './schema.ts'
import type { BucketService } from './service.buckets.ts'
import { isUnchanged, parseConditions } from './service.conditions.ts'
import { bucketEtag, presentBucket } from './service.present.ts'

const BUCKET = '/storage/v1/b/:bucket'

export function bucketRoutes(kernel: Kernel, buckets: BucketService): readonly AnyRoute[] {
  const target = (request: RouteRequest): Target => buckets.target(param(request, 'bucket'))
  const inProject = (request: RouteRequest): Target => (request.query['project'] === undefined ? {} : { projectId: request.query['project'] })
  const projectOf = (request: RouteRequest<unknown>): string => {
    const project = request.query['project']
    if (project === undefined || project === '') throw required('project')
    return kernel.projects.requireActive(project, 'storage.googleapis.com').projectId
  }

  const insert: Route<BucketBody> = {
    id: 'storage.buckets.insert',
    method: 'POST',
    path: '/storage/v1/b',
    permission: 'storage.buckets.create',
    target: inProject,
    body: BucketBody,
    handler: (request) => presentBucket(buckets.create(projectOf(request), request.body), request.hostUrl),
  }
  const change = (id: string, method: 'PATCH' | 'PUT', how: 'merge' | 'replace'): Route<BucketBody> => ({
    id,
    method,
    path: BUCKET,
    permission: 'storage.buckets.update',
    target,
    body: BucketBody,
    handler: (request) => presentBucket(buckets.change(param(request, 'bucket'), request.body, how, parseConditions(request.query)), request.hostUrl),
  })

  return [
    insert,
    {
      id: 'storage.buckets.list',
      method: 'GET',
      path: '/storage/v1/b',
      permission: 'storage.buckets.list',
      target: inProject,
      handler(request) {
        const all = buckets.list(projectOf(request), request.query['prefix'] ?? '')
        const { items, nextPageToken } = page(all, { pageSize: request.query['maxResults'], pageToken: request.query['pageToken'] }, (bucket) => bucket.name, {
          size: 1000,
          max: 1000,
        })
        return { kind: 'storage#buckets', nextPageToken, items: items.length === 0 ? undefined : items.map((bucket) => presentBucket(bucket, request.hostUrl)) }
      },
    },
    {
      id: 'storage.buckets.get',
      method: 'GET',
      path: BUCKET,
      permission: 'storage.buckets.get',
      target,
      handler(request) {
        const bucket = buckets.get(param(request, 'bucket'))
        if (isUnchanged(parseConditions(request.query), { generation: 0, metageneration: bucket.metageneration })) {
          void request.reply.code(304)
          return undefined
        }
        void request.reply.header('etag', bucketEtag(bucket))
        return presentBucket(bucket, request.hostUrl)
      },
    },
    change('storage.buckets.patch', 'PATCH', 'merge'),
    change('storage.buckets.update', 'PUT', 'replace'),
    {
      id: 'storage.buckets.delete',
      method: 'DELETE',
      path: BUCKET,
      permission: 'storage.buckets.delete',
      target,
      handler: (request) => buckets.remove(param(request, 'bucket'), parseConditions(request.query)),
    },
    {
      id: 'storage.buckets.getStorageLayout',
      method: 'GET',
      path: `${BUCKET}/storageLayout`,
      permission: 'storage.objects.list',
      target,
      handler(request) {
        const { name, location, locationType } = presentBucket(buckets.get(param(request, 'bucket')), request.hostUrl)
        return { kind: 'storage#storageLayout', bucket: name, location, locationType, hierarchicalNamespace: { enabled: false } }
      },
    },
    // There are none, since nothing here makes one; `gcloud storage rm -r` asks.
    {
      id: 'storage.managedFolders.list',
      method: 'GET',
      path: `${BUCKET}/managedFolders`,
      permission: 'storage.managedFolders.list',
      target,
      handler: () => ({ kind: 'storage#managedFolders' }),
    },
    {
      id: 'storage.projects.serviceAccount.get',
      method: 'GET',
      path: '/storage/v1/projects/:project/serviceAccount',
      permission: 'resourcemanager.projects.get',
      handler(request) {
        const { projectNumber } = kernel.projects.requireActive(param(request, 'project'), 'storage.googleapis.com')
        return { kind: 'storage#serviceAccount', email_address: `service-${projectNumber}@gs-project-accounts.iam.gserviceaccount.com` }
      },
    },
    {
      id: 'storage.buckets.getIamPolicy',
      method: 'GET',
      path: `${BUCKET}/iam`,
      permission: 'storage.buckets.getIamPolicy',
      target,
      handler: (request) => presentPolicy(param(request, 'bucket'), getPolicy(kernel, `buckets/${param(request, 'bucket')}`, request.query['optionsRequestedPolicyVersion'])),
    },
    {
      id: 'storage.buckets.setIamPolicy',
      method: 'PUT',
      path: `${BUCKET}/iam`,
      permission: 'storage.buckets.setIamPolicy',
      target,
      body: PolicyBody,
      handler: (request) => presentPolicy(param(request, 'bucket'), setPolicy(kernel, `buckets/${param(request, 'bucket')}`, { policy: request.body })),
    } satisfies Route<typeof PolicyBody._output>,
    {
      id: 'storage.buckets.testIamPermissions',
      method: 'GET',
      path: `${BUCKET}/iam/testPermissions`,
      permission: 'authenticated',
      target,
      handler: (request) => ({ kind: 'storage#testIamPermissionsResponse', ...testPermissions(kernel, request.principal, target(request), request.queryAll('permissions')) }),
    },
  ]
}

/** A path parameter that the route has. */
export function param(request: RouteRequest<never> | RouteRequest, name: string): string {
  return request.params[name] ?? ''
}

function presentPolicy(bucket: string, policy: Policy): Record<string, unknown> {
  return { kind: 'storage#policy', resourceId: `projects/_/buckets/${bucket}`, ...policy }
}
