# SharePoint's cmdlets whose interface is the same in 2016, 2019 and Subscription
# Edition.

function Get-SPAppPrincipal {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNull()] [object] $Site,
        [Parameter(Mandatory = $true, Position = 1)] [ValidateNotNullOrEmpty()] [string] $NameIdentifier,
        [Parameter(Position = 2, ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-SPFarm {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-SPServer {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [Alias('Address')] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-SPServiceApplication {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [object] $Identity,
        [string] $Name,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-SPSite {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium', DefaultParameterSetName = 'AllSitesInWebApplication')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true, ParameterSetName = 'AllSitesInIdentity')] [object] $Identity,
        [string] $Limit,
        [Parameter(Mandatory = $true, ValueFromPipeline = $true, ParameterSetName = 'AllSitesInContentDB')] [object] $ContentDatabase,
        [Parameter(ParameterSetName = 'AllSitesInContentDB')] [switch] $NeedsB2BUpgrade,
        [Parameter(ValueFromPipeline = $true, ParameterSetName = 'AllSitesInWebApplication')] [object] $WebApplication,
        [Parameter(Mandatory = $true, ValueFromPipeline = $true, ParameterSetName = 'AllSitesInSiteSubscription')] [object] $SiteSubscription,
        [Parameter(ParameterSetName = 'AllSitesInIdentity')] [switch] $Regex,
        [scriptblock] $Filter,
        [int] $CompatibilityLevel,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-SPTrustedRootAuthority {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-SPTrustedSecurityTokenIssuer {
    [CmdletBinding()]
    param(
        [Parameter(Position = 0, ValueFromPipeline = $true)] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function New-SPTrustedRootAuthority {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNullOrEmpty()] [string] $Name,
        [Parameter(Mandatory = $true, ParameterSetName = 'ManualUpdateCertificateParameterSet')] [ValidateNotNull()] [object] $Certificate,
        [Parameter(Mandatory = $true, ParameterSetName = 'MetadataEndPointParameterSet')] [ValidateNotNull()] [uri] $MetadataEndPoint,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Remove-SPAppPrincipalPermission {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNull()] [object] $Site,
        [Parameter(Mandatory = $true, Position = 1, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $AppPrincipal,
        [Parameter(Mandatory = $true, Position = 2)] [ValidateNotNull()] [object] $Scope,
        [switch] $DisableAppOnlyPolicy,
        [Parameter(Position = 3, ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Remove-SPTrustedRootAuthority {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Remove-SPTrustedSecurityTokenIssuer {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
    param(
        [Parameter(Mandatory = $true, Position = 0, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $Identity,
        [Parameter(ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Set-SPAppPrincipalPermission {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param(
        [Parameter(Mandatory = $true, Position = 0)] [ValidateNotNull()] [object] $Site,
        [Parameter(Mandatory = $true, Position = 1, ValueFromPipeline = $true)] [ValidateNotNull()] [object] $AppPrincipal,
        [Parameter(Mandatory = $true, Position = 2)] [ValidateNotNull()] [object] $Scope,
        [Parameter(Mandatory = $true, Position = 3)] [ValidateNotNull()] [object] $Right,
        [switch] $EnableAppOnlyPolicy,
        [Parameter(Position = 4, ValueFromPipeline = $true)] [object] $AssignmentCollection
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}
