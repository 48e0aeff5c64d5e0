/** Tells GitHub of pipelines that its webhooks started. Without a token it says in the log that it does not; nothing that GitHub answers changes a pipeline. */
import { readTextIfExists } from '../../host/files.ts'
import type { KilnHome } from '../../host/home.ts'
import type { CommitState, DeploymentState, Reports } from '../../github/reports.ts'
import type { Pipelines } from '../../pipeline/pipelines.ts'
import type { Pipeline, PipelineState } from '../../pipeline/types.ts'
import type { PipelineListener } from '../../pipeline/worker.ts'
import { kilnVersion } from '../version.ts'
import { deliveryPaths } from './paths.ts'
import { readSettings } from './settings.ts'

const commitStates: Readonly<Partial<Record<PipelineState, CommitState>>> = { passed: 'success', failed: 'failure', cancelled: 'error', superseded: 'error' }
const deploymentStates: Readonly<Partial<Record<PipelineState, DeploymentState>>> = { passed: 'success', failed: 'failure', cancelled: 'error', superseded: 'error' }

/** Hears of pipelines in a worker. */
export function githubListener({ home, pipelines }: { readonly home: KilnHome; readonly pipelines: Pipelines }): PipelineListener {
  const context = (pipeline: Pipeline): string => `kiln/${pipeline.stack}`
  return {
    async started(pipeline, note) {
      const reports = await reportsFor(home, pipeline, note)
      await reports?.commitStatus(pipeline.commit, { state: 'pending', context: context(pipeline), description: `pipeline ${pipeline.id} runs` })
    },
    async stageStarted(pipeline, stage) {
      if (stage !== 'deploy') return
      const reports = await reportsFor(home, pipeline)
      if (reports === undefined) return
      let deployment = deploymentOf(pipeline)
      if (deployment === undefined) {
        deployment = await reports.createDeployment(pipeline.commit, { environment: pipeline.stack, description: `pipeline ${pipeline.id}` })
        pipelines.setNotes(pipeline.id, { ...pipeline.notes, deployment })
      }
      await reports.deploymentStatus(deployment, { state: 'in_progress', description: `pipeline ${pipeline.id} rolls it out` })
    },
    async ended(pipeline) {
      const reports = await reportsFor(home, pipeline)
      if (reports === undefined) return
      const description = pipeline.reason ?? `pipeline ${pipeline.id} ${pipeline.state}`
      const url = pipeline.stages.find((stage) => stage.name === 'deploy')?.result?.['url']
      await reports.commitStatus(pipeline.commit, { state: commitStates[pipeline.state] ?? 'error', context: context(pipeline), description })
      const deployment = deploymentOf(pipeline)
      if (deployment === undefined) return
      await reports.deploymentStatus(deployment, { state: deploymentStates[pipeline.state] ?? 'error', description, ...(typeof url === 'string' ? { url } : {}) })
    },
  }
}

function deploymentOf({ notes }: Pipeline): number | undefined {
  const { deployment } = notes
  return typeof deployment === 'number' ? deployment : undefined
}

async function reportsFor(home: KilnHome, pipeline: Pipeline, note?: (text: string) => void): Promise<Reports | undefined> {
  if (pipeline.trigger !== 'webhook') return undefined
  const settings = await readSettings(home, pipeline.stack)
  const token = (await readTextIfExists(deliveryPaths(home).stack(pipeline.stack).token))?.trim()
  if (settings?.repository === undefined || token === undefined || token === '') {
    note?.('not reported to GitHub: there is no token (kiln webhook setup --token-file FILE)')
    return undefined
  }
  const { createReports } = await import('../../github/reports.ts')
  return createReports({ repository: settings.repository, token, userAgent: `kiln/${kilnVersion}`, ...(settings.apiUrl === undefined ? {} : { apiUrl: settings.apiUrl }) })
}
