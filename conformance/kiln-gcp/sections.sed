# The sections that the example leaves out, for a stack that has them all.
s/auth: { providers: \['email'\] }/auth: { providers: ['email', 'google'], authorizedDomains: ['app.chatmoshi.com'], google: { clientId: '1234-abc.apps.googleusercontent.com', clientSecret: 'env:GOOGLE_CLIENT_SECRET' } }/
s/github: { repository: 'OWNER\/moshi'/github: { repository: 'moshi\/server', repositoryId: '424242'/
s/^  buckets: /  secrets: { 'speech-key': { from: 'env:SPEECH_KEY', accessors: ['moshi-srv-sa'] } },\n  dns: { zone: 'chatmoshi.com' },\n\n  buckets: /
s/^    size: 2,/    size: 1,\n    domains: ['dev.chatmoshi.com'],/
