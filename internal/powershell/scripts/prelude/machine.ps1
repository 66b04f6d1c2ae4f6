# The server itself, as every observing script returns it.

# Scripts call this last, so that the clock is that of the moment of the result.
function Get-Machine {
    [CmdletBinding()]
    param()

    return [pscustomobject] @{
        name = Get-ComputerName
        domain = Get-DomainName
        forest = Get-ForestName
        windowsBuild = Get-WindowsBuild
        powerShell = [string] $PSVersionTable.PSVersion
        elevated = Test-Elevated
        fips = Test-FipsPolicy
        pendingReboot = Test-PendingReboot
        configurationMode = Get-ConfigurationMode
        clock = Get-MachineTime
    }
}

function Get-ServiceRecord {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Name)

    $running = $false
    foreach ($service in Get-Service -Name $Name -ErrorAction SilentlyContinue) { $running = [string] $service.Status -eq 'Running' }
    $since = $null
    if ($running) { $since = Get-ServiceStart -Name $Name }
    return [pscustomobject] @{ name = $Name; running = $running; since = $since }
}
