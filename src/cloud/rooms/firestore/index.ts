/** Firestore (administration and documents) and Firebase Rules. Descriptor only. */
import type { Room } from '../../kernel/room.ts'
import { documentRoutes } from './documents/routes.ts'
import { createDocumentService } from './documents/service.ts'
import { createDocumentStore } from './documents/store.ts'
import { createTransactions } from './documents/transactions.ts'
import { databaseRoutes } from './routes.databases.ts'
import { indexRoutes } from './routes.indexes.ts'
import { rulesRoutes } from './routes.rules.ts'
import { createDatabaseService, FIRESTORE_SERVICE } from './service.databases.ts'
import { createIndexService } from './service.indexes.ts'
import { createRulesService, RULES_SERVICE } from './service.rules.ts'
import { createRulesStore } from './store.rules.ts'
import { createFirestoreStore, firestoreMigrations } from './store.ts'

export function createFirestoreRoom(): Room {
  return {
    id: 'firestore',
    service: FIRESTORE_SERVICE,
    hosts: [
      { name: 'api', match: FIRESTORE_SERVICE },
      { name: 'rules', match: RULES_SERVICE },
    ],
    migrations: firestoreMigrations,
    routes(kernel) {
      const store = createFirestoreStore(kernel.database)
      const databases = createDatabaseService(kernel, store)
      const indexes = createIndexService(kernel, store, databases)
      const rules = createRulesService(kernel, createRulesStore(kernel.database))
      const transactions = createTransactions()
      const documents = createDocumentService(kernel, store, createDocumentStore(kernel.database), transactions)
      return [...databaseRoutes(kernel, databases), ...indexRoutes(databases, indexes), ...documentRoutes(documents, transactions), ...rulesRoutes(rules)]
    },
  }
}
