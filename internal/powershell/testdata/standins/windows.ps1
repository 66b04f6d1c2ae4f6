# Stand-ins for the part of the prelude that only Windows can run, and for
# What works here as it does on Windows.

# Opens the PFX among the secrets. Its key is then on disk, in the key store
# that the flags name.
function Open-Pfx {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509KeyStorageFlags] $Flags)

    $password = Read-PfxPassword
    try {
        return [System.Security.Cryptography.X509Certificates.X509Certificate2]::new($FarmTrustSecrets[0], $password, $Flags)
    }
    finally { $password.Dispose() }
}

# What signs with a certificate's key; null for a key that is not RSA.
function Get-PrivateKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    return [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
}

function Get-ComputerName {
    [CmdletBinding()]
    param()

    return [Environment]::MachineName
}

# The account that this runs as, as DOMAIN\name.
function Get-AccountName {
    [CmdletBinding()]
    param()

    return [Environment]::UserDomainName + '\' + [Environment]::UserName
}

# The machine's own clock, UTC: what its services and files are dated by.
function Get-MachineTime {
    [CmdletBinding()]
    param()

    return [datetime]::UtcNow
}

# A file's bytes; null when there is no such file.
function Read-FileBytes {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path)) { return $null }
    # The comma keeps PowerShell from returning byte after byte.
    return , [System.IO.File]::ReadAllBytes($Path)
}

function Write-FileBytes {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Path,
        [Parameter(Mandatory = $true)] [byte[]] $Bytes
    )

    [System.IO.File]::WriteAllBytes($Path, $Bytes)
}

# When a file was last written, UTC; null when there is no such file.
function Get-FileTime {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    if (-not [System.IO.File]::Exists($Path)) { return $null }
    return [System.IO.File]::GetLastWriteTimeUtc($Path)
}

# Windows' own cmdlets.

function Get-StoreCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store)

    foreach ($entry in (Get-World).stores.$Store) {
        if ($entry.archived) { continue }
        if ($entry.pfx) {
            $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($entry.pfx), 'world')
        }
        else {
            $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($entry.der))
        }
        Add-Member -InputObject $certificate -MemberType NoteProperty -Name FriendlyName -Value $entry.friendlyName -Force
        $certificate
    }
}

function Add-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate
    )

    $world = Get-World
    $pfx = ''
    $provider = ''
    if ($Certificate.HasPrivateKey -and -not $world.losesKeys) {
        $pfx = [Convert]::ToBase64String($Certificate.Export('Pfx', 'world'))
        $provider = $world.keyProvider
    }
    $world.stores.$Store = @($world.stores.$Store) + [pscustomobject] @{
        der = [Convert]::ToBase64String($Certificate.RawData); pfx = $pfx; friendlyName = ''
        provider = $provider; file = 'C:\keys\' + $Certificate.Thumbprint; readers = @('S-1-5-18', 'S-1-5-32-544'); denied = @(); inherited = @(); archived = $false; keyGone = $false
    }
    Set-World $world
}

function Find-Entry {
    param([object] $World, [string] $Store, [string] $Thumbprint)
    foreach ($entry in $World.stores.$Store) {
        $certificate = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new([Convert]::FromBase64String($entry.der))
        if ($certificate.Thumbprint -eq $Thumbprint) { $entry }
    }
}

function Remove-StoreCertificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    $world = Get-World
    $gone = Find-Entry -World $world -Store $Store -Thumbprint $Thumbprint
    $world.stores.$Store = @($world.stores.$Store | Where-Object { $_ -ne $gone })
    if (-not $world.clings) { Set-World $world }
}

function Set-StoreFriendlyName {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [string] $FriendlyName
    )

    $world = Get-World
    (Find-Entry -World $world -Store My -Thumbprint $Thumbprint).friendlyName = $FriendlyName
    Set-World $world
}

function Get-KeyLocation {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $entry = Find-Entry -World (Get-World) -Store My -Thumbprint $Certificate.Thumbprint
    if ($entry.keyGone) { throw (New-Object System.Security.Cryptography.CryptographicException 0x80090016) }
    if ($entry.provider -eq '') { Stop-Script -Id 'KeyMissing' -Message 'no key' }
    return [pscustomobject] @{ Provider = $entry.provider; File = $entry.file }
}

function Get-KeyReader {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $File)

    $entry = (Get-World).stores.My | Where-Object { $_.file -eq $File }
    $entry.readers | Where-Object { $_ -notin $entry.denied }
}

function Add-KeyReader {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [Parameter(Mandatory = $true)] [string] $Sid
    )

    $world = Get-World
    $entry = $world.stores.My | Where-Object { $_.file -eq $File }
    $entry.readers = @($entry.readers) + $Sid
    Set-World $world
}

function Remove-Key {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [System.Security.Cryptography.X509Certificates.X509Certificate2] $Certificate)

    $world = Get-World
    $world.removedKeys = @($world.removedKeys) + $Certificate.Thumbprint
    foreach ($entry in Find-Entry -World $world -Store My -Thumbprint $Certificate.Thumbprint) { $entry.keyGone = $true }
    Set-World $world
}

function Test-Elevated {
    [CmdletBinding()]
    param()
    return (Get-World).machine.elevated
}

function Get-ForestName {
    [CmdletBinding()]
    param()
    return (Get-World).machine.forest
}

function Test-FipsPolicy {
    [CmdletBinding()]
    param()
    return (Get-World).machine.fips
}

function Test-PendingReboot {
    [CmdletBinding()]
    param()
    return (Get-World).machine.pendingReboot
}

function Get-ConfigurationMode {
    [CmdletBinding()]
    param()
    return (Get-World).machine.configurationMode
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()
    return [int] (Get-World).machine.windowsBuild
}

function Get-DomainName {
    [CmdletBinding()]
    param()
    return (Get-World).machine.domain
}

function ConvertTo-Moment {
    param([object] $Value)
    if ($Value) { return [datetime] $Value }
    return $null
}

function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4')] [string] $Name)
    return ConvertTo-Moment (Get-World).services.$Name.since
}

function Get-WorkerStart {
    [CmdletBinding()]
    param()
    return ConvertTo-Moment (Get-World).workersSince
}

function Invoke-IisReset {
    [CmdletBinding()]
    param()

    $world = Get-World
    if ($world.iisResetCode -eq 0) { $world.workersSince = [datetime]::UtcNow.ToString('o') }
    Set-World $world
    return [int] $world.iisResetCode
}

function Get-SharePointFileVersion {
    [CmdletBinding()]
    param()

    $version = (Get-World).sharePoint.version
    if ($version) { return [version] $version }
    return $null
}

function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )

    foreach ($permission in (Get-World).sharePoint.permissions) {
        if ($permission.site -eq $Web.Url -and $permission.registeredName -eq $RegisteredName) {
            return [pscustomobject] @{ Right = $permission.right; AppOnly = $permission.appOnly }
        }
    }
    return [pscustomobject] @{ Right = ''; AppOnly = $false }
}

# Windows' own cmdlets.

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $Name)

    $service = (Get-World).services.($Name[0])
    if ($null -eq $service) {
        $PSCmdlet.WriteError((New-Object System.Management.Automation.ErrorRecord (
            New-Object System.InvalidOperationException "Cannot find any service with service name '$Name'."),
            'NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand', 'ObjectNotFound', $Name[0]))
        return
    }
    $object = [pscustomobject] @{ Name = $Name[0]; Status = $service.status; StartType = $service.startType }
    Add-Member -InputObject $object -MemberType ScriptMethod -Name WaitForStatus -Value {
        param($Status, $Timeout)
        if ($this.Status -ne $Status) { throw (New-Object System.TimeoutException 'Time out has expired and the operation has not been completed.') }
    }
    return $object
}

function Restart-Service {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param([Parameter(Mandatory = $true, Position = 0)] [string[]] $Name, [switch] $Force, [switch] $PassThru)

    $world = Get-World
    $world.services.($Name[0]).status = $world.services.($Name[0]).afterRestart
    $world.services.($Name[0]).since = [datetime]::UtcNow.ToString('o')
    Set-World $world
}

function Invoke-WebRequest {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [uri] $Uri, [switch] $UseBasicParsing, [int] $TimeoutSec)

    $world = Get-World
    if ($world.web.problem) {
        throw (New-Object System.Net.WebException 'localized', ([System.Net.WebExceptionStatus] $world.web.problem))
    }
    return [pscustomobject] @{ StatusCode = [int] $world.web.status }
}

function New-ScheduledTaskAction {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $Execute, [Parameter(Position = 1)] [string] $Argument)
    return [pscustomobject] @{ Execute = $Execute; Argument = $Argument }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [string] $UserId,
        [ValidateSet('None', 'Password', 'S4U', 'Interactive', 'Group', 'ServiceAccount', 'InteractiveOrPassword')] [string] $LogonType
    )
    return [pscustomobject] @{ UserId = $UserId; LogonType = $LogonType }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param(
        [switch] $AllowStartIfOnBatteries, [timespan] $ExecutionTimeLimit,
        [ValidateSet('Parallel', 'Queue', 'IgnoreNew')] [string] $MultipleInstances = 'IgnoreNew'
    )
    return [pscustomobject] @{ ExecutionTimeLimit = $ExecutionTimeLimit; MultipleInstances = $MultipleInstances }
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $TaskName, [string] $TaskPath, [Parameter(Mandatory = $true)] [object[]] $Action,
        [object] $Principal, [object] $Settings, [switch] $Force
    )

    $world = Get-World
    if ($null -ne $world.tasks.PSObject.Properties[$TaskName] -and -not $Force) { throw 'Cannot create a file when that file already exists.' }
    $task = [pscustomobject] @{
        argument = $Action[0].Argument; user = $Principal.UserId; logon = $Principal.LogonType; instances = $Settings.MultipleInstances
        result = 267011; state = 'Ready'; lastRun = $null
    }
    Add-Member -InputObject $world.tasks -MemberType NoteProperty -Name $TaskName -Value $task -Force
    Set-World $world
    return $task
}

# Runs a task's script in a PowerShell of its own, as the account that reaches
# SQL Server. A task that hangs has not run again.
function Start-FileTask {
    param([string] $TaskName)

    $task = (Get-World).tasks.$TaskName
    if ($task.hangs) { return }
    $env:FARMTRUST_TASK = 'yes'
    try { & ([Environment]::ProcessPath) -NoLogo -NoProfile -NonInteractive -File $task.argument.Split('"')[1] | Out-Null }
    finally { $env:FARMTRUST_TASK = $null }
    $world = Get-World
    $world.tasks.$TaskName.result = $LASTEXITCODE
    $world.tasks.$TaskName.lastRun = [datetime]::UtcNow.ToString('o')
    Set-World $world
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Position = 0)] [string[]] $TaskName, [Parameter(Position = 1)] [string[]] $TaskPath)

    $task = (Get-World).tasks.PSObject.Properties[$TaskName[0]]
    if ($null -eq $task) {
        $PSCmdlet.WriteError((New-Object System.Management.Automation.ErrorRecord (
            New-Object System.InvalidOperationException "No MSFT_ScheduledTask objects found with property 'TaskName' equal to '$TaskName'."),
            'CmdletizationQuery_NotFound_TaskName,Get-ScheduledTask', 'ObjectNotFound', $TaskName[0]))
        return
    }
    return [pscustomobject] @{ TaskName = $TaskName[0]; State = $task.Value.state }
}

# Runs the task's program: here it is read, the certificate it looks for is
# the one whose thumbprint stands in it.
function Start-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $TaskName, [Parameter(Position = 1)] [string] $TaskPath)

    $world = Get-World
    $task = $world.tasks.$TaskName
    if ($task.argument.Contains('-File ')) {
        Start-FileTask -TaskName $TaskName
        return
    }
    $encoded = $task.argument.Split(' ')[-1]
    $text = [System.Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($encoded))
    $null = [ScriptBlock]::Create($text)
    $task.result = 91
    if ($text -match "'([0-9A-F]{40})'") {
        $entry = Find-Entry -World $world -Store My -Thumbprint $Matches[1]
        $task.result = 92
        if ($task.user -in $entry.readers -and $task.user -notin $entry.denied -and $entry.pfx) { $task.result = 90 }
    }
    if ($null -ne $world.taskResult) { $task.result = $world.taskResult }
    Set-World $world
}

function Get-ScheduledTaskInfo {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string] $TaskName, [Parameter(Position = 1)] [string] $TaskPath)

    $task = (Get-World).tasks.$TaskName
    return [pscustomobject] @{ LastTaskResult = [uint32] $task.result; LastRunTime = ConvertTo-Moment $task.lastRun }
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param([Parameter(Position = 0)] [string[]] $TaskName)

    if ($PSCmdlet.ShouldProcess($TaskName[0])) {
        $world = Get-World
        $world.tasks.PSObject.Properties.Remove($TaskName[0])
        Set-World $world
    }
}

# The snap-in of SharePoint 2016 and 2019 holds what Subscription Edition has
# in a module.
function Add-PSSnapin {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true, Position = 0)] [string[]] $Name)

    if ($Name[0] -ne 'Microsoft.SharePoint.PowerShell') { throw "no snap-in is called $Name" }
    Import-Module -Name SharePointServer -Global -DisableNameChecking
}
